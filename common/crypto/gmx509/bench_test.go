// SPDX-License-Identifier: Apache-2.0

package gmx509

import "testing"

// What the MSP does with an identity that it has not seen: parse it and verify its chain.
func BenchmarkIdentity(b *testing.B) {
	for name, newKey := range map[string]func(testing.TB) any{
		"SM2":   func(t testing.TB) any { return sm2Key(t) },
		"ECDSA": func(t testing.TB) any { return p256Key(t) },
	} {
		root := issue(b, template("root", true), newKey(b), nil)
		leaf := issue(b, template("leaf", false), newKey(b), root)
		roots := pool(root)
		b.Run("Parse/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ParseCertificate(leaf.cert.Raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Verify/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Verify(leaf.cert, VerifyOptions{Roots: roots}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
