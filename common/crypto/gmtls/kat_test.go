// SPDX-License-Identifier: Apache-2.0

package gmtls

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
	tjsm3 "github.com/tjfoc/gmsm/sm3"
	tjsm4 "github.com/tjfoc/gmsm/sm4"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// GB/T 38636-2020, 5.2.2. The answers come from OpenSSL 3.0: openssl kdf
// -kdfopt digest:SM3 ... TLS1-PRF.
func TestPRF(t *testing.T) {
	fill := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	for _, test := range []struct {
		secret       []byte
		label        string
		seed1, seed2 []byte
		want         string
	}{
		{
			fill(0x0b, 48), labelMaster, fill(0xa0, 32), fill(0xb1, 32),
			"bbf07e9dda699d32b6ea74a592491c082380700fc1bf859a33409736e161e880a463e5ca8489d75249bdde7d5ec7cb2084c6e50ae89c80c1f6c4df339124ec913733a20568b4ab1a8b8a0d3ebce730bb",
		},
		{
			fill(0x5c, 48), labelKeys, fill(0xb1, 32), fill(0xa0, 32),
			"e8770988c2a8f952d2e5b5aa3740d693078c3789779e3c093b6db74ff187c730c21d2a994e9ea8ff390599f80e82f0dafe74563ce0d5ea78fcdf0c332e43c8813a7b4699cc19b4f2a903f9f8888a70e32ed4685032ee11c33e92adfa5804698c1bd3a63b3c854f179c4da2ecf54aae3bfe2223a49672e5a1888cf50402881a30",
		},
		{fill(0x5c, 48), labelClient, fill(0x77, 32), nil, "7b5e140733d79d8da79cb90a"},
	} {
		want := unhex(t, test.want)
		got := make([]byte, len(want))
		var m hmacSM3
		m.init(test.secret)
		prf(&m, got, test.label, test.seed1, test.seed2)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", test.label, got, want)
		}
		// One secret serves several derivations.
		prf(&m, got, test.label, test.seed1, test.seed2)
		if !bytes.Equal(got, want) {
			t.Errorf("%s, again: got %x, want %x", test.label, got, want)
		}
	}
}

// A key longer than a block is hashed; the answer comes from OpenSSL 3.0.
func TestHMACLongKey(t *testing.T) {
	var m hmacSM3
	m.init(bytes.Repeat([]byte{0xaa}, 100))
	m.begin()
	m.h.Write([]byte("abc"))
	if got, want := m.finish(), unhex(t, "9971B5BF007547D048AE227B28412570FFCD4A856C5D1DAF3738AE12DB04D362"); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	m.wipe()
	if m.inner != (sm3State{}) || m.outer != (sm3State{}) {
		t.Error("wipe leaves the key behind")
	}
}

// The key exchange example of GB/T 32918.5, annex B: static and ephemeral keys
// of A (the initiator) and B, and a key of 16 bytes.
func TestSM2KeyExchangeExample(t *testing.T) {
	private := func(s string) *ecdh.PrivateKey {
		key, err := ecdh.P256().NewPrivateKey(unhex(t, s))
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	side := func(static, ephemeral string, initiator bool) (*softwareAgreement, *sm2.PrivateKey) {
		key, err := sm2.NewPrivateKey(unhex(t, static))
		if err != nil {
			t.Fatal(err)
		}
		s := private(static)
		return &softwareAgreement{s, s.PublicKey(), private(ephemeral), initiator}, key
	}
	a, aKey := side("81EB26E941BB5AF16DF116495F90695272AE2CD63D6C4AE1678418BE48230029",
		"D4DE15474DB74D06491C440D305E012400990F3E390C7E87153C12DB2EA60BB3", true)
	b, bKey := side("785129917D45A9EA5437A59356B82338EAADDA6CEB199088F14AE10DEFA229B5",
		"7E07124814B309489125EAED101113164EBF0F3458C5BD88335C1F9D596243D6", false)
	want := unhex(t, "6C89347354DE2484C60B4AB1FDE4C6E5")
	for _, test := range []struct {
		name      string
		own, peer *softwareAgreement
		peerKey   *sm2.PrivateKey
	}{{"A", a, b, bKey}, {"B", b, a, aKey}} {
		got, err := test.own.Agree(&test.peerKey.PublicKey, test.peer.EphemeralPublic(), 16)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, %v, want %x", test.name, got, err, want)
		}
	}
	off := a.EphemeralPublic()
	off[64] ^= 1
	if _, err := b.Agree(&aKey.PublicKey, off, 16); err == nil {
		t.Error("a point off the curve is accepted")
	}
}

// Issue 560 of github.com/emmansun/gmsm: versions 0.30.0 to 0.44.0 reject this
// valid signature, over a digest of zeros, on amd64 CPUs with ADX.
func TestEngineCarry(t *testing.T) {
	pub, err := sm2.NewPublicKey(unhex(t, "04"+
		"ef4de57af00ae424c00c4caadff7193f804a19dd73a7e2954db9d0d15ab4cbba"+
		"67728c3f4572878b7a674735da9fde1682fe2d9e0799c4a5cde57e3d473039a2"))
	if err != nil {
		t.Fatal(err)
	}
	sig := unhex(t, "3046"+
		"022100be0ea64e1ec06f0d247093f3ccbbadcfb6260224272f86ddb78326e7cd6c7560"+
		"022100e9f6ab2fcc48a2cef94838e66b5c7e21fd8e4de25990dd98ca5243f4966f2853")
	if !sm2.VerifyASN1(pub, make([]byte, 32), sig) {
		t.Error("the engine rejects a valid signature")
	}
}

func testKeySchedule(t testing.TB, s *suite) (client, server recordCipher, block []byte) {
	t.Helper()
	var k keySchedule
	k.setMaster((*[masterLen]byte)(bytes.Repeat([]byte{0x5c}, masterLen)))
	clientRandom, serverRandom := bytes.Repeat([]byte{0xa0}, 32), bytes.Repeat([]byte{0xb1}, 32)
	client, server, err := k.protection(s, clientRandom, serverRandom)
	if err != nil {
		t.Fatal(err)
	}
	block = make([]byte, maxKeyBlock)
	prf(&k.hmac, block, labelKeys, serverRandom, clientRandom)
	return client, server, block
}

// The records of both kinds of suites are opened by an independent
// implementation: crypto/cipher and crypto/hmac over the SM4 and SM3 of
// tjfoc/gmsm (GB/T 38636-2020, 6.3.3.4 and 6.5).
func TestRecordProtection(t *testing.T) {
	payloads := [][]byte{[]byte("x"), bytes.Repeat([]byte("data"), 100), make([]byte, maxPlaintext)}
	const seq, typ = 0x0102030405060708, recordApplicationData
	header := func(length int) []byte {
		b := binary.BigEndian.AppendUint64(nil, seq)
		return append(b, typ, 1, 1, byte(length>>8), byte(length))
	}
	t.Run("GCM", func(t *testing.T) {
		client, server, block := testKeySchedule(t, suiteByID(ECC_SM4_GCM_SM3))
		for i, own := range []recordCipher{client, server} {
			key, fixed := block[16*i:16*i+16], block[32+4*i:32+4*i+4]
			tj, err := tjsm4.NewCipher(key)
			if err != nil {
				t.Fatal(err)
			}
			aead, err := cipher.NewGCM(tj)
			if err != nil {
				t.Fatal(err)
			}
			for _, payload := range payloads {
				body, err := own.seal(nil, nil, seq, typ, payload)
				if err != nil {
					t.Fatal(err)
				}
				nonce := append(bytes.Clone(fixed), body[:8]...)
				got, err := aead.Open(nil, nonce, body[8:], header(len(payload)))
				if err != nil || !bytes.Equal(got, payload) {
					t.Fatalf("direction %d: %v", i, err)
				}
			}
		}
	})
	t.Run("CBC", func(t *testing.T) {
		client, server, block := testKeySchedule(t, suiteByID(ECC_SM4_CBC_SM3))
		for i, own := range []recordCipher{client, server} {
			macKey, key := block[32*i:32*i+32], block[64+16*i:64+16*i+16]
			tj, err := tjsm4.NewCipher(key)
			if err != nil {
				t.Fatal(err)
			}
			for _, payload := range payloads {
				body, err := own.seal(nil, rand.Reader, seq, typ, payload)
				if err != nil {
					t.Fatal(err)
				}
				iv, text := body[:16], body[16:]
				cipher.NewCBCDecrypter(tj, iv).CryptBlocks(text, text)
				pad := int(text[len(text)-1])
				if !bytes.Equal(text[len(text)-pad-1:], bytes.Repeat([]byte{byte(pad)}, pad+1)) {
					t.Fatalf("padding %x", text[len(text)-pad-1:])
				}
				content, mac := text[:len(text)-pad-1-32], text[len(text)-pad-1-32:len(text)-pad-1]
				h := hmac.New(tjsm3.New, macKey)
				h.Write(header(len(content)))
				h.Write(content)
				if !bytes.Equal(content, payload) || !hmac.Equal(mac, h.Sum(nil)) {
					t.Fatalf("direction %d: content or MAC differ", i)
				}
			}
		}
	})
}

// sealCBC makes a CBC record with the given content, padding and MAC change.
func sealCBC(t testing.TB, c *cbcCipher, seq uint64, typ uint8, payload []byte, padding []byte, flipMAC bool) []byte {
	t.Helper()
	putAuthHeader(&c.header, seq, typ, len(payload))
	c.mac.begin()
	c.mac.h.Write(c.header[:])
	c.mac.h.Write(payload)
	mac := bytes.Clone(c.mac.finish())
	if flipMAC {
		mac[0] ^= 1
	}
	text := append(append(bytes.Clone(payload), mac...), padding...)
	if len(text)%sm4.BlockSize != 0 {
		t.Fatalf("a text of %d bytes is not a number of blocks", len(text))
	}
	body := append(make([]byte, sm4.BlockSize), text...)
	cipher.NewCBCEncrypter(c.block, body[:sm4.BlockSize]).CryptBlocks(body[sm4.BlockSize:], body[sm4.BlockSize:])
	return body
}

func paddingOf(n int) []byte { return bytes.Repeat([]byte{byte(n - 1)}, n) }

// Every payload length and every padding length that fits opens, and nothing
// that was changed does.
func TestCBCPadding(t *testing.T) {
	c, _, _ := testKeySchedule(t, suiteByID(ECC_SM4_CBC_SM3))
	own := c.(*cbcCipher)
	for _, length := range []int{0, 1, 15, 16, 31, 32, 47, 55, 56, 63, 64, 100, 250, 300, 1000} {
		payload := bytes.Repeat([]byte{0x42}, length)
		first := 16 - (length+32)%16
		for pad := first; pad <= 256; pad += 16 {
			name := fmt.Sprintf("payload %d, padding %d", length, pad)
			open := func(body []byte) ([]byte, bool) { return own.open(7, recordApplicationData, body) }
			got, ok := open(sealCBC(t, own, 7, recordApplicationData, payload, paddingOf(pad), false))
			if !ok || !bytes.Equal(got, payload) {
				t.Fatalf("%s does not open", name)
			}
			if _, ok := open(sealCBC(t, own, 7, recordApplicationData, payload, paddingOf(pad), true)); ok {
				t.Fatalf("%s: a wrong MAC opens", name)
			}
			if _, ok := open(sealCBC(t, own, 8, recordApplicationData, payload, paddingOf(pad), false)); ok {
				t.Fatalf("%s: a wrong sequence number opens", name)
			}
			if pad > 1 {
				bad := paddingOf(pad)
				bad[0] ^= 1
				if _, ok := open(sealCBC(t, own, 7, recordApplicationData, payload, bad, false)); ok {
					t.Fatalf("%s: wrong padding opens", name)
				}
			}
			long := paddingOf(pad)
			long[pad-1] = byte(pad) // one more than there is
			if _, ok := open(sealCBC(t, own, 7, recordApplicationData, payload, long, false)); ok && pad < 256 {
				t.Fatalf("%s: padding that is too long opens", name)
			}
		}
	}
	for _, size := range []int{0, 1, 16, 32, 48, 63, 65} {
		if _, ok := own.open(7, recordApplicationData, make([]byte, size)); ok {
			t.Errorf("a body of %d bytes opens", size)
		}
	}
}

// countingSM3 counts what is hashed, in blocks.
type countingSM3 struct {
	sm3Digest
	bytes int
}

func (c *countingSM3) Write(b []byte) (int, error) {
	c.bytes += len(b)
	return c.sm3Digest.Write(b)
}

// The work of opening a CBC record must depend on its length alone: not on the
// padding, not on whether padding or MAC are right (Lucky Thirteen).
func TestCBCWorkIsIndependentOfPadding(t *testing.T) {
	c, _, _ := testKeySchedule(t, suiteByID(ECC_SM4_CBC_SM3))
	own := c.(*cbcCipher)
	counter := &countingSM3{sm3Digest: own.mac.h}
	for _, total := range []int{48, 64, 304, 320, 1024, 4096} {
		work := make(map[int][]string)
		open := func(name string, body []byte) {
			own.mac.h = counter
			counter.bytes = 0
			own.open(1, recordApplicationData, body)
			own.mac.h = counter.sm3Digest
			work[counter.bytes] = append(work[counter.bytes], name)
		}
		for pad := 1; pad <= min(256, total-32); pad++ {
			payload := make([]byte, total-32-pad)
			open(fmt.Sprint("padding ", pad), sealCBC(t, own, 1, recordApplicationData, payload, paddingOf(pad), false))
			open(fmt.Sprint("padding and wrong MAC ", pad), sealCBC(t, own, 1, recordApplicationData, payload, paddingOf(pad), true))
		}
		open("bad padding", sealCBC(t, own, 1, recordApplicationData, make([]byte, total-32-2), []byte{9, 1}, false))
		open("overlong padding", sealCBC(t, own, 1, recordApplicationData, make([]byte, total-32-1), []byte{255}, false))
		if len(work) != 1 {
			var text strings.Builder
			for n, names := range work {
				fmt.Fprintf(&text, "\n%d bytes hashed: %d cases, %s ...", n, len(names), names[0])
			}
			t.Errorf("a text of %d bytes:%s", total, text.String())
		}
	}
}

// A record whose whole text counts as padding, with no room for a MAC, is refused
// like any other. The content is of the attacker's choice: he may know a key of
// a connection of his own.
func TestCBCPaddingWithoutMAC(t *testing.T) {
	c, _, _ := testKeySchedule(t, suiteByID(ECC_SM4_CBC_SM3))
	own := c.(*cbcCipher)
	for _, test := range []struct{ length, padding int }{
		{48, 48}, {48, 256}, {80, 80}, {80, 49}, {256, 256}, {256, 225}, {288, 256}, // no room, less than 32 bytes, the least
	} {
		body := append(make([]byte, sm4.BlockSize), bytes.Repeat([]byte{byte(test.padding - 1)}, test.length)...)
		cipher.NewCBCEncrypter(own.block, body[:sm4.BlockSize]).CryptBlocks(body[sm4.BlockSize:], body[sm4.BlockSize:])
		if _, ok := own.open(0, recordApplicationData, body); ok {
			t.Errorf("%d bytes, all of them padding of %d, open", test.length, test.padding)
		}
	}
	for length := 0; length <= 2*sm4.BlockSize+32; length++ {
		if _, ok := own.open(0, recordApplicationData, make([]byte, length)); ok {
			t.Errorf("a record of %d zeros opens", length)
		}
	}
}

// countingKey counts what it is to decrypt.
type countingKey struct {
	*sm2.PrivateKey
	asked int
}

func (k *countingKey) Decrypt(rand io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	k.asked++
	return k.PrivateKey.Decrypt(rand, ciphertext, opts)
}

// A pre-master secret is taken only with the version that was offered, to the
// last bit, and with the right length (6.4.5.7).
func TestPreMasterForm(t *testing.T) {
	key := &countingKey{PrivateKey: newKey(t)}
	good := append([]byte{1, 1}, bytes.Repeat([]byte{9}, preMasterLen-2)...)
	accepts := func(secret []byte) bool {
		ciphertext, err := sm2.EncryptASN1(rand.Reader, &key.PublicKey, secret)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decryptPreMaster(rand.Reader, key, ciphertext)
		if err != nil || len(got) != preMasterLen || got[0] != 1 || got[1] != 1 {
			t.Fatalf("%x, %v: not a secret", got, err)
		}
		return bytes.Equal(got[2:], secret[2:min(len(secret), preMasterLen)])
	}
	if !accepts(good) {
		t.Error("a good secret is not taken")
	}
	key.asked = 0
	for _, length := range []int{2, preMasterLen - 1, preMasterLen + 1, 2 * preMasterLen} {
		if accepts(append(bytes.Clone(good), good...)[:length]) {
			t.Errorf("a secret of %d bytes is taken", length)
		}
	}
	if key.asked != 0 {
		t.Errorf("%d ciphertexts of other lengths go to the key, which may be in a device", key.asked)
	}
	for bit := range 16 {
		secret := bytes.Clone(good)
		secret[bit/8] ^= 1 << (bit % 8)
		if accepts(secret) {
			t.Errorf("a secret with the version %x is taken", secret[:2])
		}
	}
}
