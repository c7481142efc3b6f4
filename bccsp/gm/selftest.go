// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"

	gmcipher "github.com/emmansun/gmsm/cipher"
	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	enginesm3 "github.com/emmansun/gmsm/sm3"
	enginesm4 "github.com/emmansun/gmsm/sm4"
	"github.com/hyperledger/fabric/common/crypto/randomness"
	"github.com/hyperledger/fabric/common/crypto/sm2table"
	"github.com/hyperledger/fabric/common/crypto/sm3"
	"github.com/hyperledger/fabric/common/crypto/sm4"
)

// knownAnswers are the values that SelfTest compares with, all in hexadecimal.
type knownAnswers struct {
	// GB/T 32905, annex A.1: SM3 of "abc".
	sm3Abc string
	// GB/T 32905, annex A.2: SM3 of 16 times "abcd".
	sm3Abcd string

	// GB/T 32907, annex A.1: key, plaintext and ciphertext of one block.
	sm4Key, sm4Plain, sm4Cipher string

	// GM/T 0042, annex D.3: HMAC of 32 bytes 1, 2, 3 … and a message.
	sm3HMAC string

	// draft-ribose-cfrg-sm4, A.2.2.1: two blocks of CBC under the key above.
	sm4CBC string

	// RFC 8998, A.1 and A.2: 64 bytes with their tags under the same key.
	sm4GCM, sm4CCM string

	// GB/T 32918.5, annex A.2: key pair, Z of the default signer id, signature r || s over "message digest".
	sm2Private, sm2Public, sm2Z, sm2Signature string
	// GB/T 32918.5, annex C.2: C1 || C3 || C2 of "encryption standard" for the same key.
	sm2Encrypted string
	// GB/T 32918.5, annex B.2: private keys of A, which begins, and of B, fixed and for one exchange, and the agreed key of 16 bytes.
	sm2KeyA, sm2ExchangeA, sm2KeyB, sm2ExchangeB, sm2Agreed string

	// Issue 560 of github.com/emmansun/gmsm: public key and signature r || s over a digest of zeros. Versions 0.30.0
	// to 0.44.0 reject it on amd64 CPUs with ADX, so that two peers would disagree on a block.
	sm2CarryPublic, sm2CarrySignature string
}

var standardAnswers = knownAnswers{
	sm3Abc:  "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
	sm3Abcd: "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",

	sm4Key:    "0123456789abcdeffedcba9876543210",
	sm4Plain:  "0123456789abcdeffedcba9876543210",
	sm4Cipher: "681edf34d206965e86b3e94f536e4246",

	sm3HMAC: "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a",

	sm4CBC: "78ebb11cc40b0a48312aaeb2040244cb4cb7016951909226979b0d15dc6a8f6d",

	sm4GCM: "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735" +
		"d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d" + "83de3541e4c2b58177e065a9bf7b62ec",
	sm4CCM: "48af93501fa62adbcd414cce6034d895dda1bf8f132f042098661572e7483094" +
		"fd12e518ce062c98acee28d95df4416bed31a2f04476c18bb40c84a74b97dc5b" + "16842d4fa186f56ab33256971fa110f4",

	sm2Private: "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8",
	sm2Public: "04" + "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020" +
		"ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
	sm2Z: "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3",
	sm2Signature: "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3" +
		"b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
	sm2Encrypted: "04" + "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73" +
		"e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0" +
		"59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766" +
		"21886ca989ca9c7d58087307ca93092d651efa",
	sm2KeyA:      "81eb26e941bb5af16df116495f90695272ae2cd63d6c4ae1678418be48230029",
	sm2ExchangeA: "d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3",
	sm2KeyB:      "785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5",
	sm2ExchangeB: "7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6",
	sm2Agreed:    "6c89347354de2484c60b4ab1fde4c6e5",

	sm2CarryPublic: "04" + "ef4de57af00ae424c00c4caadff7193f804a19dd73a7e2954db9d0d15ab4cbba" +
		"67728c3f4572878b7a674735da9fde1682fe2d9e0799c4a5cde57e3d473039a2",
	sm2CarrySignature: "be0ea64e1ec06f0d247093f3ccbbadcfb6260224272f86ddb78326e7cd6c7560" +
		"e9f6ab2fcc48a2cef94838e66b5c7e21fd8e4de25990dd98ca5243f4966f2853",
}

var selfTestOnce = sync.OnceValue(func() error { return powerOn(&standardAnswers) })

// OnFailure is told why the self-test at start failed, once and before its callers are, and why a new key pair was refused. It is set
// before the first test.
var OnFailure = func(error) {}

// powerOn runs the self-test at start.
func powerOn(want *knownAnswers) error {
	err := runSelfTest(want)
	if err != nil {
		OnFailure(err)
	}
	return err
}

// SelfTest computes known answers of SM2, SM3 and SM4 with the engine in use on this machine and returns an error that
// names the algorithm and the test that failed. A provider must not be used after a failure. The first call takes under
// a millisecond; later ones return its result.
func SelfTest() error { return selfTestOnce() }

// ErrAlgorithm is wrapped by errors of SelfTestAgain after which the process must end: what it computes, verdicts on signatures
// included, is not to be trusted.
var ErrAlgorithm = errors.New("gm: an algorithm gives wrong answers")

// SelfTestAgain computes the known answers again, makes a key pair, and runs the fifteen tests of GM/T 0005 on bytes of Random, which
// takes seconds. After a test has failed, Random gives no more bytes: nothing is signed, encrypted or agreed on until the process is
// started again. A source that gives no bytes at the moment is an error too, but may recover.
func SelfTestAgain() error {
	if err := runSelfTest(&standardAnswers); err != nil {
		return stopRandom(fmt.Errorf("%w: %w", ErrAlgorithm, err))
	}
	if _, err := (sm2KeyGenerator{}).KeyGen(nil); errors.Is(err, errInconsistent) {
		return stopRandom(fmt.Errorf("%w: %w", ErrAlgorithm, err))
	} else if err != nil {
		return err
	}
	err := randomness.CheckFully(Random())
	if failed := new(randomness.Error); errors.As(err, &failed) {
		return stopRandom(fmt.Errorf("gm: test of the source of random bytes: %w", err))
	}
	return err
}

// stopRandom makes Random give no bytes any more.
func stopRandom(err error) error {
	source.Load().Fail(err)
	return err
}

func runSelfTest(want *knownAnswers) error {
	for _, test := range []struct {
		name string
		run  func(*knownAnswers) error
	}{
		{"SM3 hash", testSM3},
		{"SM3 HMAC", testHMAC},
		{"SM4 block", testSM4},
		{"SM4-CBC", testSM4CBC},
		{"SM4-GCM", testSM4GCM},
		{"SM4-CCM", testSM4CCM},
		{"SM2 signature verification", testSM2Verify},
		{"SM2 signature verification with a rare carry (gmsm issue 560)", testSM2Carry},
		{"SM2 signature", testSM2Sign},
		{"SM2 encryption", testSM2Encrypt},
		{"SM2 key exchange", testSM2Exchange},
	} {
		if err := test.run(want); err != nil {
			return fmt.Errorf("gm: self-test of %s failed on this machine: %w; do not use this build here", test.name, err)
		}
	}
	return nil
}

var (
	errWrongAnswer = errors.New("the result differs from the known answer")
	errNotRejected = errors.New("a wrong input was accepted")
	errTable       = errors.New("verification with a table of the key and without it differ")
)

// testSM3 hashes one message by the engine and by the package of ours, and many at once.
func testSM3(want *knownAnswers) error {
	for _, t := range []struct{ msg, sum string }{
		{"abc", want.sm3Abc},
		{"abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd", want.sm3Abcd},
	} {
		message := []byte(t.msg)
		sums := sm3.SumMany(slices.Repeat([]sm3.Message{{Data: message}}, 16))
		for _, sum := range append(sums, sm3.Sum(message), enginesm3.Sum(message)) {
			if hex.EncodeToString(sum[:]) != t.sum {
				return errWrongAnswer
			}
		}
	}
	return nil
}

func testSM4(want *knownAnswers) error {
	key, plain, text, err := unhex3(want.sm4Key, want.sm4Plain, want.sm4Cipher)
	if err != nil {
		return err
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return err
	}
	out := make([]byte, block.BlockSize())
	if block.Encrypt(out, plain); !bytes.Equal(out, text) {
		return errWrongAnswer
	}
	if block.Decrypt(out, text); !bytes.Equal(out, plain) {
		return errWrongAnswer
	}
	return nil
}

func testHMAC(want *knownAnswers) error {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i + 1)
	}
	mac := hmac.New(sm3.New, key)
	mac.Write(bytes.Repeat([]byte("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), 2))
	if hex.EncodeToString(mac.Sum(nil)) != want.sm3HMAC {
		return errWrongAnswer
	}
	return nil
}

func testSM4CBC(want *knownAnswers) error {
	key, plain, text, err := unhex3(want.sm4Key, "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffaaaaaaaabbbbbbbb", want.sm4CBC)
	if err != nil {
		return err
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return err
	}
	iv := make([]byte, block.BlockSize())
	for i := range iv {
		iv[i] = byte(i)
	}
	out := make([]byte, len(plain))
	if cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain); !bytes.Equal(out, text) {
		return errWrongAnswer
	}
	if cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, text); !bytes.Equal(out, plain) {
		return errWrongAnswer
	}
	return nil
}

// testSM4GCM compares with the known answer. A longer message, which other kernels process, it compares with the result of the
// generic GCM of crypto/cipher over the engine's blocks.
func testSM4GCM(want *knownAnswers) error {
	key, plain, err := unhex2(want.sm4Key, want.sm4Plain)
	if err != nil {
		return err
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return err
	}
	fast, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	if err := testAEAD(fast, want.sm4GCM); err != nil {
		return err
	}
	engine, err := enginesm4.NewCipher(key)
	if err != nil {
		return err
	}
	plainGCM, err := cipher.NewGCM(blockOnly{engine})
	if err != nil {
		return err
	}
	msg := bytes.Repeat(plain, 100) // long enough for the widest kernel, and a rest
	nonce := make([]byte, gcmNonceSize)
	if !bytes.Equal(fast.Seal(nil, nonce, msg[:len(msg)-5], plain), plainGCM.Seal(nil, nonce, msg[:len(msg)-5], plain)) {
		return errWrongAnswer
	}
	return nil
}

func testSM4CCM(want *knownAnswers) error {
	key, err := hex.DecodeString(want.sm4Key)
	if err != nil {
		return err
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return err
	}
	ccm, err := gmcipher.NewCCM(block)
	if err != nil {
		return err
	}
	return testAEAD(ccm, want.sm4CCM)
}

// testAEAD seals and opens the example of RFC 8998.
func testAEAD(aead cipher.AEAD, answer string) error {
	nonce, additional, err := unhex2("00001234567800000000abcd", "feedfacedeadbeeffeedfacedeadbeefabaddad2")
	if err != nil {
		return err
	}
	var plain []byte
	for _, b := range []byte{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0xee, 0xaa} {
		plain = append(plain, bytes.Repeat([]byte{b}, 8)...)
	}
	sealed := aead.Seal(nil, nonce, plain, additional)
	if hex.EncodeToString(sealed) != answer {
		return errWrongAnswer
	}
	if opened, err := aead.Open(nil, nonce, sealed, additional); err != nil || !bytes.Equal(opened, plain) {
		return errWrongAnswer
	}
	sealed[0] ^= 1
	if _, err := aead.Open(nil, nonce, sealed, additional); err == nil {
		return errNotRejected
	}
	return nil
}

// blockOnly hides every method but those of cipher.Block.
type blockOnly struct{ cipher.Block }

func testSM2Verify(want *knownAnswers) error {
	z, sig, pub, err := unhex3(want.sm2Z, want.sm2Signature, want.sm2Public)
	if err != nil {
		return err
	}
	key, err := sm2.NewPublicKey(pub)
	if err != nil {
		return err
	}
	za, err := sm2.CalculateZA(key, nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(za, z) {
		return errWrongAnswer
	}
	k, err := newPublicKey(key)
	if err != nil {
		return err
	}
	e := k.digest([]byte("message digest"))
	if err := verifyRS(key, e, sig); err != nil {
		return err
	}
	e[0] ^= 1
	if !errors.Is(verifyRS(key, e, sig), errWrongAnswer) {
		return errNotRejected
	}
	return nil
}

func testSM2Carry(want *knownAnswers) error {
	pub, sig, err := unhex2(want.sm2CarryPublic, want.sm2CarrySignature)
	if err != nil {
		return err
	}
	key, err := sm2.NewPublicKey(pub)
	if err != nil {
		return err
	}
	return verifyRS(key, make([]byte, 32), sig)
}

// testSM2Sign checks that the key of the standard gives its public key, and that a signature with it verifies. Signatures
// are random, so there is no answer to compare with.
func testSM2Sign(want *knownAnswers) error {
	d, pub, err := unhex2(want.sm2Private, want.sm2Public)
	if err != nil {
		return err
	}
	key, err := sm2.NewPrivateKey(d)
	if err != nil {
		return err
	}
	expected, err := sm2.NewPublicKey(pub)
	if err != nil {
		return err
	}
	if !expected.Equal(&key.PublicKey) {
		return errWrongAnswer
	}
	e := sm3.Sum([]byte("self-test"))
	sig, err := sm2.SignASN1(rand.Reader, key, e[:], nil)
	if err != nil {
		return err
	}
	if !sm2.VerifyASN1(expected, e[:], sig) {
		return errWrongAnswer
	}
	return nil
}

// testSM2Encrypt decrypts the known ciphertext, and one that it makes.
func testSM2Encrypt(want *knownAnswers) error {
	d, text, err := unhex2(want.sm2Private, want.sm2Encrypted)
	if err != nil {
		return err
	}
	key, err := sm2.NewPrivateKey(d)
	if err != nil {
		return err
	}
	const message = "encryption standard"
	own, err := sm2.Encrypt(rand.Reader, &key.PublicKey, []byte(message), nil)
	if err != nil {
		return err
	}
	for _, sealed := range [][]byte{text, own} {
		plain, err := sm2.Decrypt(key, sealed)
		if err != nil {
			return err
		}
		if string(plain) != message {
			return errWrongAnswer
		}
		sealed[len(sealed)-1] ^= 1
		if _, err := sm2.Decrypt(key, sealed); err == nil {
			return errNotRejected
		}
	}
	return nil
}

// testSM2Exchange computes what both sides of the key exchange do in TLCP's ECDHE suites.
func testSM2Exchange(want *knownAnswers) error {
	var keys [4]*ecdh.PrivateKey
	for i, text := range []string{want.sm2KeyA, want.sm2ExchangeA, want.sm2KeyB, want.sm2ExchangeB} {
		d, err := hex.DecodeString(text)
		if err != nil {
			return err
		}
		if keys[i], err = ecdh.P256().NewPrivateKey(d); err != nil {
			return err
		}
	}
	for responds, k := range [2][4]*ecdh.PrivateKey{keys, {keys[2], keys[3], keys[0], keys[1]}} {
		own, peer := k[0].PublicKey(), k[2].PublicKey()
		point, err := k[0].SM2MQV(k[1], peer, k[3].PublicKey())
		if err != nil {
			return err
		}
		agreed, err := point.SM2SharedKey(responds == 1, len(want.sm2Agreed)/2, own, peer, nil, nil)
		if err != nil {
			return err
		}
		if hex.EncodeToString(agreed) != want.sm2Agreed {
			return errWrongAnswer
		}
	}
	off := keys[0].PublicKey().Bytes()
	off[len(off)-1] ^= 1
	if _, err := ecdh.P256().NewPublicKey(off); err == nil {
		return errNotRejected
	}
	return nil
}

// verifyRS verifies a signature given as r || s, 64 bytes, with a table of the key and without. It returns errWrongAnswer
// where both refuse it.
func verifyRS(pub *ecdsa.PublicKey, e, rs []byte) error {
	if len(rs) != 64 {
		return errWrongAnswer
	}
	sig, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:])})
	if err != nil {
		return err
	}
	table, err := sm2table.New(pub)
	if err != nil {
		return err
	}
	valid := sm2.VerifyASN1(pub, e, sig)
	switch {
	case valid != table.VerifyASN1(e, sig):
		return errTable
	case !valid:
		return errWrongAnswer
	}
	return nil
}

func unhex2(a, b string) (x, y []byte, err error) {
	x, y, _, err = unhex3(a, b, "")
	return x, y, err
}

func unhex3(a, b, c string) (x, y, z []byte, err error) {
	if x, err = hex.DecodeString(a); err != nil {
		return nil, nil, nil, err
	}
	if y, err = hex.DecodeString(b); err != nil {
		return nil, nil, nil, err
	}
	z, err = hex.DecodeString(c)
	return x, y, z, err
}
