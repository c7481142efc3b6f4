// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

const (
	// issuerAttribute is the attribute that a certificate must have, with the value "true", for its holder to issue tokens.
	// Fabric CA writes it: fabric-ca-client register … --id.attrs 'token.issuer=true:ecert'.
	issuerAttribute = "token.issuer"
	// issuerMSP is the organisation whose CA is believed when it writes the attribute: any member's CA can write it. Change it
	// to one of your network.
	issuerMSP = "Org1MSP"
	// accountType is the object type of the keys under which balances stand.
	accountType = "account"
	// maxAccount bounds the bytes of an account's name.
	maxAccount = 4 << 10
)

// Token keeps balances. An account is a client: its organisation, and a digest of its certificate's issuer and subject, which are
// unique within the organisation alone. It outlives a renewal of the certificate.
type Token struct {
	contractapi.Contract
}

// Transfer is the payload of the events Issue and Transfer.
type Transfer struct {
	From   string `json:"from,omitempty"` // empty for an issue
	To     string `json:"to"`
	Amount uint64 `json:"amount"`
}

// GetEvaluateTransactions names the functions that change nothing.
func (*Token) GetEvaluateTransactions() []string { return []string{"Account", "Balance"} }

// Account is the caller's.
func (*Token) Account(ctx contractapi.TransactionContextInterface) (string, error) {
	client := ctx.GetClientIdentity()
	msp, err := client.GetMSPID()
	if err != nil {
		return "", err
	}
	cert, err := client.GetX509Certificate()
	if err != nil || cert == nil {
		return "", errors.Join(errors.New("the caller has no certificate"), err)
	}
	// All of both names, byte for byte: GetID leaves out attributes, such as UID, by which a CA may tell its subjects apart.
	names := binary.BigEndian.AppendUint32(nil, uint32(len(cert.RawIssuer)))
	names = append(append(names, cert.RawIssuer...), cert.RawSubject...)
	return fmt.Sprintf("%s::%x", msp, sha256.Sum256(names)), nil
}

// Balance of an account; one that never got anything has 0.
func (*Token) Balance(ctx contractapi.TransactionContextInterface, account string) (uint64, error) {
	return balance(ctx, account)
}

// Issue makes new tokens for an account. The caller must be of the issuing organisation, and its certificate have the attribute
// token.issuer=true.
func (*Token) Issue(ctx contractapi.TransactionContextInterface, to string, amount uint64) error {
	client := ctx.GetClientIdentity()
	if msp, err := client.GetMSPID(); err != nil || msp != issuerMSP {
		return errors.Join(fmt.Errorf("the caller may not issue tokens: it is of %s, not %s", msp, issuerMSP), err)
	}
	if err := client.AssertAttributeValue(issuerAttribute, "true"); err != nil {
		return fmt.Errorf("the caller may not issue tokens: %w", err)
	}
	if err := credit(ctx, to, amount); err != nil {
		return err
	}
	return report(ctx, "Issue", Transfer{To: to, Amount: amount})
}

// Transfer moves tokens from the caller's account to another.
func (t *Token) Transfer(ctx contractapi.TransactionContextInterface, to string, amount uint64) error {
	from, err := t.Account(ctx)
	if err != nil {
		return err
	}
	if from == to {
		return errors.New("the receiver is the caller")
	}
	has, err := balance(ctx, from)
	if err != nil {
		return err
	}
	if amount > has {
		return fmt.Errorf("the balance is %d, less than %d", has, amount)
	}
	if err := put(ctx, from, has-amount); err != nil {
		return err
	}
	if err := credit(ctx, to, amount); err != nil {
		return err
	}
	return report(ctx, "Transfer", Transfer{From: from, To: to, Amount: amount})
}

func credit(ctx contractapi.TransactionContextInterface, account string, amount uint64) error {
	if amount == 0 {
		return errors.New("the amount is 0")
	}
	has, err := balance(ctx, account)
	if err != nil {
		return err
	}
	if amount > math.MaxUint64-has {
		return errors.New("the balance would be too large")
	}
	return put(ctx, account, has+amount)
}

func key(ctx contractapi.TransactionContextInterface, account string) (string, error) {
	if account == "" || len(account) > maxAccount {
		return "", fmt.Errorf("the account's name has %d bytes: want 1 to %d", len(account), maxAccount)
	}
	return ctx.GetStub().CreateCompositeKey(accountType, []string{account})
}

func balance(ctx contractapi.TransactionContextInterface, account string) (uint64, error) {
	name, err := key(ctx, account)
	if err != nil {
		return 0, err
	}
	state, err := ctx.GetStub().GetState(name)
	if err != nil || state == nil {
		return 0, err
	}
	var amount uint64
	if err := json.Unmarshal(state, &amount); err != nil {
		return 0, fmt.Errorf("the state of account %s is damaged: %w", account, err)
	}
	return amount, nil
}

func put(ctx contractapi.TransactionContextInterface, account string, amount uint64) error {
	name, err := key(ctx, account)
	if err != nil {
		return err
	}
	state, err := json.Marshal(amount)
	if err != nil {
		return err
	}
	return ctx.GetStub().PutState(name, state)
}

func report(ctx contractapi.TransactionContextInterface, event string, transfer Transfer) error {
	payload, err := json.Marshal(transfer)
	if err != nil {
		return err
	}
	return ctx.GetStub().SetEvent(event, payload)
}
