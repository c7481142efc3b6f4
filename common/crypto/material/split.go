// SPDX-License-Identifier: Apache-2.0

package material

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxObjects bounds the objects of one file.
const maxObjects = 4096

// Object is one object of a file before it is parsed.
type Object struct {
	Origin
	Label   string            // of PEM; empty in DER
	Headers map[string]string // of PEM
	DER     []byte
}

var (
	utf8Mark = []byte("\xef\xbb\xbf")
	begin    = []byte("-----BEGIN ")

	// wideBegin is in a BEGIN line in UTF-16 of either byte order, which editors also write without a byte order mark.
	wideBegin = []byte("B\x00E\x00G\x00I\x00N\x00 ")
)

// Split separates the objects of a file and parses none of them. There is at least one. Errors have the file's name.
func Split(name string, data []byte) ([]Object, error) {
	fail := func(reason, remedy string) ([]Object, error) {
		return nil, &Error{File: name, Err: errors.New(reason), Remedy: remedy}
	}
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return nil, &Error{File: name, Err: ErrEmpty}
	case IsEscrow(data):
		return fail("it is "+string(FormEscrow), remedies[FormEscrow])
	case isDER(data) && !isText(data):
		return splitDER(name, data)
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")), bytes.Contains(data, wideBegin):
		return fail("it is text in UTF-16", "save it as UTF-8 or ASCII")
	}
	text := unixLines(bytes.TrimPrefix(data, utf8Mark))
	if bytes.Contains(text, begin) {
		return splitPEM(name, text)
	}
	if der, err := base64.StdEncoding.DecodeString(string(bytes.Map(withoutSpace, text))); err == nil && isDER(der) {
		form := FormOf(der)
		return fail(fmt.Sprintf("it is base64 without a BEGIN line, and holds %s", form), bareRemedy(form))
	}
	if damaged := damagedLine(text); damaged > 0 {
		return fail(fmt.Sprintf("line %d is a damaged BEGIN or END line", damaged), "fetch the file again")
	}
	if isTokenBlob(data) {
		return nil, &Error{File: name, Err: fmt.Errorf("%w, but an ENVELOPEDKEYBLOB (GM/T 0016), which tokens read", ErrOther),
			Remedy: "ask the CA for an SM2EnvelopedKey (GM/T 0009), and make a key file of that with: gmtls key"}
	}
	return nil, &Error{File: name, Err: ErrOther}
}

// escrowHead is in front of the base64 in the answer of CFCA that holds an encryption key.
const escrowHead = "00000000000000010000000000000001"

// IsEscrow tells an encryption key in the answer of CFCA.
func IsEscrow(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte(escrowHead)) }

// isTokenBlob tells an ENVELOPEDKEYBLOB by its first members, little-endian: version 1, SM1, SSF33 or SM4 in ECB mode, 256 bits.
func isTokenBlob(data []byte) bool {
	return len(data) >= 12 && binary.LittleEndian.Uint32(data) == 1 && slices.Contains([]uint32{0x101, 0x201, 0x401}, binary.LittleEndian.Uint32(data[4:])) &&
		binary.LittleEndian.Uint32(data[8:]) == 256
}

// bareRemedy says what to do with base64 without a BEGIN line. Openssl writes an empty file, and reports no error, where -A meets more than
// one line.
func bareRemedy(form Form) string {
	const decode = "decode it with: tr -d '\\r\\n' < FILE | openssl base64 -d -A -out FILE.der"
	remedy := remedies[form]
	switch {
	case remedy == "":
		return decode
	case form == FormPKCS7, form == FormPKCS12: // which openssl does not read in base64
		return decode + "; then " + strings.ReplaceAll(remedy, "-in FILE ", "-in FILE.der ")
	}
	return remedy
}

// unixLines ends every line with LF alone and takes the spaces around it away, as PEM is pasted into other documents.
func unixLines(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	trimmed := make([]byte, 0, len(text)) // and no slice for each line: a file of 64 MiB may have 32 million
	for line := range bytes.Lines(text) {
		content, ended := bytes.CutSuffix(line, []byte("\n"))
		trimmed = append(trimmed, bytes.Trim(content, " \t")...)
		if ended {
			trimmed = append(trimmed, '\n')
		}
	}
	return trimmed
}

func withoutSpace(r rune) rune {
	if unicode.IsSpace(r) {
		return -1
	}
	return r
}

// isDER reports whether data is a sequence, or begins with one.
func isDER(data []byte) bool {
	rest := cryptobyte.String(data)
	return len(data) > 0 && data[0] == 0x30 && rest.SkipASN1(cbasn1.SEQUENCE)
}

// isText reports whether data is text with PEM in it, which may begin with the digit 0, as sequences do. Certificates, lists and keys in DER
// have tags and lengths that are control characters.
func isText(data []byte) bool {
	return bytes.Contains(data, begin) && !bytes.ContainsFunc(data, func(r rune) bool { return r < 0x20 && !unicode.IsSpace(r) || r == 0x7f })
}

func splitDER(name string, data []byte) ([]Object, error) {
	var objects []Object
	for rest := cryptobyte.String(data); !rest.Empty(); {
		at := Origin{File: name, Object: len(objects) + 1}
		var der cryptobyte.String
		if len(objects) == maxObjects {
			return nil, tooMany(name)
		}
		if !rest.ReadASN1Element(&der, cbasn1.SEQUENCE) {
			return nil, at.fail(fmt.Errorf("something is left over (%s) behind the DER of object %d", bytesOf(len(rest)), len(objects)),
				"fetch the file again, in binary mode")
		}
		objects = append(objects, Object{Origin: at, DER: der})
	}
	return objects, nil
}

func bytesOf(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

func tooMany(name string) error {
	return &Error{File: name, Err: fmt.Errorf("it holds more than %d objects", maxObjects), Remedy: "give a file of those that are needed"}
}

// splitPEM decodes what follows each BEGIN line, wherever it is: encoding/pem skips what it cannot decode.
func splitPEM(name string, text []byte) ([]Object, error) {
	var objects []Object
	line := 1
	for {
		at := bytes.Index(text, begin)
		if at < 0 {
			at = len(text)
		}
		// What stands before the first BEGIN line or behind an END line is free text.
		if damaged := damagedLine(text[:at]); damaged > 0 {
			return nil, &Error{File: name, Object: len(objects) + 1, Line: line + damaged - 1,
				Err: errors.New("the line is damaged: an END line without its BEGIN line, or fewer dashes than five"), Remedy: "fetch the file again"}
		}
		if at == len(text) {
			return objects, nil
		}
		line += bytes.Count(text[:at], []byte("\n"))
		text = text[at:]
		end := bytes.Index(text[len(begin):], begin)
		if end < 0 {
			end = len(text) - len(begin)
		}
		segment := text[:len(begin)+end]
		origin := Origin{File: name, Object: len(objects) + 1, Line: line}
		object, rest, err := decodeOne(origin, segment)
		if err != nil {
			return nil, err
		}
		if len(objects) == maxObjects {
			return nil, tooMany(name)
		}
		objects = append(objects, object)
		line += bytes.Count(segment[:len(segment)-len(rest)], []byte("\n"))
		text = text[len(segment)-len(rest):]
	}
}

func decodeOne(origin Origin, segment []byte) (Object, []byte, error) {
	block, rest := pem.Decode(segment)
	if block == nil {
		return Object{}, nil, origin.fail(fmt.Errorf("%q does not lead to an object: its END line is missing or differs, or the base64 between is damaged",
			firstLine(segment)), "fetch the file again")
	}
	return Object{Origin: origin, Label: block.Type, Headers: block.Headers, DER: block.Bytes}, rest, nil
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if len(line) > 60 {
		line = line[:60]
	}
	return string(line)
}

// damagedLine returns the number of the first line, from 1, that was a BEGIN or END line before something befell it; 0 if
// there is none. Free text between objects has no such lines.
func damagedLine(text []byte) int {
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if !strings.Contains(line, "BEGIN ") && !strings.Contains(line, "END ") {
			continue
		}
		if strings.ContainsAny(line, "—–−") || strings.Contains(line, "--") || strings.Contains(line, "-BEGIN") || strings.Contains(line, "-END") {
			return number
		}
	}
	return 0
}
