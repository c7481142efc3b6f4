// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/pkg/gmgateway"
)

// sign signs one text. It needs no network.
func sign(_ context.Context, s *step) error {
	if len(s.args) != 1 || readers[kind(s.args[0])] == nil {
		return fmt.Errorf("sign takes one of %s, %s, %s, %s, %s", proposal, transaction, commit, events, blocks)
	}
	k := kind(s.args[0])
	key, err := os.ReadFile(s.key)
	if err != nil {
		return fmt.Errorf("-key: %w", err)
	}
	signer, err := gmgateway.NewSigner(key)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(s.text(k))
	if err != nil {
		return err
	}
	message, err := messageOf(k, content)
	if err != nil {
		return fmt.Errorf("%s: %w", s.text(k), err)
	}
	shown, err := read(k, message)
	if err != nil {
		return fmt.Errorf("%s: not signed: %w", s.text(k), err)
	}
	if err := checkKeyMatches(key, shown.certificate); err != nil {
		return fmt.Errorf("%s: not signed: the text is for the identity of another key: %w", s.text(k), err)
	}
	fmt.Fprintf(s.out, "signing %s\n%s", k, shown.lines)
	signature, err := signer.Sign(signer.Hash(message))
	if err != nil {
		return err
	}
	return os.WriteFile(s.signature(k), signature, 0o600)
}

// checkKeyMatches checks that the key is that of the certificate in a text.
func checkKeyMatches(key, certificate []byte) error {
	keyFile, err := material.Parse("-key", key)
	if err != nil {
		return err
	}
	private, err := keyFile.PrivateKey(nil)
	if err != nil {
		return err
	}
	file, err := material.Parse("creator", certificate)
	if err != nil {
		return err
	}
	if len(file.Certificates) != 1 {
		return errors.New("its creator is not one certificate")
	}
	_, err = file.Chain(private)
	return err
}
