// SPDX-License-Identifier: Apache-2.0

// Package contract is the contract of the asset chaincode. It is separate from the program that serves it, so that tests of clients can
// run it in their process.
package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric/pkg/gmshim/gmcontract"
)

// ownerIndex is the object type of the composite keys owner, id by which assets are found by owner.
const ownerIndex = "owner~id"

// maxText bounds the bytes of each text field, so that one transaction cannot fill a block.
const maxText = 64 << 10

// Contract keeps assets on the ledger. An asset belongs to an organisation: only clients of that organisation's MSP may
// update, transfer or delete it. Every change sets an event with the name of the function and the asset as JSON.
type Contract struct {
	contractapi.Contract
}

// Asset is one asset as it is in the world state and in events.
type Asset struct {
	ID    string `json:"id"`
	Color string `json:"color"`
	Size  int    `json:"size"`
	Owner string `json:"owner"`
	// OwnerMSP is the MSP whose clients may change the asset.
	OwnerMSP string `json:"ownerMSP"`
	Value    int    `json:"value"`
}

// Revision is one entry of an asset's history.
type Revision struct {
	TxID      string `json:"txId"`
	Timestamp string `json:"timestamp"` // RFC 3339, UTC, of the transaction's creation
	Deleted   bool   `json:"deleted"`
	// Asset is absent when the revision deleted the asset.
	Asset *Asset `json:"asset,omitempty" metadata:",optional"`
}

// Caller is what the contract knows of the client that called it.
type Caller struct {
	ID    string `json:"id"`
	MSPID string `json:"mspId"`
	// KeyAlgorithm is the public key algorithm of the client's certificate, its curve after it: "ECDSA SM2".
	KeyAlgorithm string `json:"keyAlgorithm"`
}

// NewChaincode returns the chaincode that consists of the contract.
func NewChaincode() (*contractapi.ContractChaincode, error) {
	contract := &Contract{}
	contract.Name = "asset"
	contract.TransactionContextHandler = new(gmcontract.TransactionContext)
	chaincode, err := contractapi.NewChaincode(contract)
	if err != nil {
		return nil, fmt.Errorf("describe the contract: %w", err)
	}
	chaincode.Info.Title = "asset"
	chaincode.Info.Version = "1.0.0"
	return chaincode, nil
}

// GetEvaluateTransactions names the functions that change nothing; the contract's metadata marks them so.
func (*Contract) GetEvaluateTransactions() []string {
	return []string{
		"ReadAsset", "AssetExists", "GetAssetHistory", "GetAssetsByRange", "GetAssetsPage", "GetAssetsByOwner",
		"ReadPrivateDetails", "GetPrivateDetailsHash", "WhoAmI",
	}
}

// CreateAsset puts a new asset on the ledger, which belongs to the caller's organisation.
func (c *Contract) CreateAsset(ctx contractapi.TransactionContextInterface, id, color string, size int, owner string, value int) (*Asset, error) {
	existing, err := load(ctx, id)
	if err != nil {
		return nil, err
	}
	if existing != nil {
		return nil, fmt.Errorf("asset %s exists already", id)
	}
	mspID, err := ctx.GetClientIdentity().GetMSPID()
	if err != nil {
		return nil, err
	}
	asset := &Asset{ID: id, Color: color, Size: size, Owner: owner, OwnerMSP: mspID, Value: value}
	return asset, errors.Join(store(ctx, asset), index(ctx, asset), emit(ctx, "CreateAsset", asset))
}

// ReadAsset returns the asset, or an error when there is none with that id.
func (c *Contract) ReadAsset(ctx contractapi.TransactionContextInterface, id string) (*Asset, error) {
	asset, err := load(ctx, id)
	if err == nil && asset == nil {
		err = fmt.Errorf("asset %s does not exist", id)
	}
	return asset, err
}

// AssetExists reports whether there is an asset with that id.
func (c *Contract) AssetExists(ctx contractapi.TransactionContextInterface, id string) (bool, error) {
	asset, err := load(ctx, id)
	return asset != nil, err
}

// UpdateAsset changes color, size and value of the caller's organisation's asset.
func (c *Contract) UpdateAsset(ctx contractapi.TransactionContextInterface, id, color string, size, value int) (*Asset, error) {
	asset, err := c.owned(ctx, id)
	if err != nil {
		return nil, err
	}
	asset.Color, asset.Size, asset.Value = color, size, value
	return asset, errors.Join(store(ctx, asset), emit(ctx, "UpdateAsset", asset))
}

// TransferAsset gives the caller's organisation's asset to a new owner in the organisation ownerMSP.
func (c *Contract) TransferAsset(ctx contractapi.TransactionContextInterface, id, owner, ownerMSP string) (*Asset, error) {
	asset, err := c.owned(ctx, id)
	if err != nil {
		return nil, err
	}
	if ownerMSP == "" {
		return nil, fmt.Errorf("asset %s: the new owner's MSP id is empty", id)
	}
	if err := unindex(ctx, asset); err != nil {
		return nil, err
	}
	asset.Owner, asset.OwnerMSP = owner, ownerMSP
	return asset, errors.Join(store(ctx, asset), index(ctx, asset), emit(ctx, "TransferAsset", asset))
}

// DeleteAsset removes the caller's organisation's asset from the world state. Its history stays.
func (c *Contract) DeleteAsset(ctx contractapi.TransactionContextInterface, id string) error {
	asset, err := c.owned(ctx, id)
	if err != nil {
		return err
	}
	if err := ctx.GetStub().DelState(id); err != nil {
		return fmt.Errorf("delete asset %s: %w", id, err)
	}
	return errors.Join(unindex(ctx, asset), emit(ctx, "DeleteAsset", asset))
}

// GetAssetHistory returns the committed revisions of an asset, newest first, deletions among them.
func (c *Contract) GetAssetHistory(ctx contractapi.TransactionContextInterface, id string) ([]*Revision, error) {
	iterator, err := ctx.GetStub().GetHistoryForKey(id)
	if err != nil {
		return nil, fmt.Errorf("history of asset %s: %w", id, err)
	}
	defer iterator.Close()
	revisions := []*Revision{}
	for iterator.HasNext() {
		modification, err := iterator.Next()
		if err != nil {
			return nil, fmt.Errorf("history of asset %s: %w", id, err)
		}
		revision := &Revision{
			TxID:      modification.GetTxId(),
			Timestamp: modification.GetTimestamp().AsTime().UTC().Format(time.RFC3339Nano),
			Deleted:   modification.GetIsDelete(),
		}
		if !revision.Deleted {
			if revision.Asset, err = decode(id, modification.GetValue()); err != nil {
				return nil, err
			}
		}
		revisions = append(revisions, revision)
	}
	return revisions, nil
}

// WhoAmI returns what the contract knows of the caller.
func (c *Contract) WhoAmI(ctx contractapi.TransactionContextInterface) (*Caller, error) {
	identity := ctx.GetClientIdentity()
	mspID, err := identity.GetMSPID()
	if err != nil {
		return nil, err
	}
	id, err := identity.GetID()
	if err != nil {
		return nil, err
	}
	cert, err := identity.GetX509Certificate()
	if err != nil {
		return nil, err
	}
	return &Caller{ID: id, MSPID: mspID, KeyAlgorithm: keyAlgorithm(cert)}, nil
}

// owned returns the asset if the caller's organisation may change it.
func (c *Contract) owned(ctx contractapi.TransactionContextInterface, id string) (*Asset, error) {
	asset, err := c.ReadAsset(ctx, id)
	if err != nil {
		return nil, err
	}
	mspID, err := ctx.GetClientIdentity().GetMSPID()
	if err != nil {
		return nil, err
	}
	if mspID != asset.OwnerMSP {
		return nil, fmt.Errorf("asset %s belongs to %s: a client of %s may not change it", id, asset.OwnerMSP, mspID)
	}
	return asset, nil
}

// load returns the asset, nil when there is none.
func load(ctx contractapi.TransactionContextInterface, id string) (*Asset, error) {
	if id == "" {
		return nil, errors.New("the asset's id is empty")
	}
	value, err := ctx.GetStub().GetState(id)
	if err != nil {
		return nil, fmt.Errorf("read asset %s: %w", id, err)
	}
	if len(value) == 0 {
		return nil, nil
	}
	return decode(id, value)
}

func decode(id string, value []byte) (*Asset, error) {
	asset := &Asset{}
	if err := json.Unmarshal(value, asset); err != nil {
		return nil, fmt.Errorf("asset %s in the world state: %w", id, err)
	}
	return asset, nil
}

func store(ctx contractapi.TransactionContextInterface, asset *Asset) error {
	for _, text := range []string{asset.ID, asset.Color, asset.Owner, asset.OwnerMSP} {
		if len(text) > maxText || !utf8.ValidString(text) {
			return fmt.Errorf("asset %.64q: a text field is over %d bytes or not UTF-8", asset.ID, maxText)
		}
	}
	value, err := json.Marshal(asset)
	if err != nil {
		return fmt.Errorf("encode asset %s: %w", asset.ID, err)
	}
	if err := ctx.GetStub().PutState(asset.ID, value); err != nil {
		return fmt.Errorf("write asset %s: %w", asset.ID, err)
	}
	return nil
}

func emit(ctx contractapi.TransactionContextInterface, name string, asset *Asset) error {
	payload, err := json.Marshal(asset)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", name, err)
	}
	if err := ctx.GetStub().SetEvent(name, payload); err != nil {
		return fmt.Errorf("set event %s: %w", name, err)
	}
	return nil
}

func index(ctx contractapi.TransactionContextInterface, asset *Asset) error {
	key, err := ctx.GetStub().CreateCompositeKey(ownerIndex, []string{asset.Owner, asset.ID})
	if err != nil {
		return fmt.Errorf("index asset %s by owner: %w", asset.ID, err)
	}
	// The state database drops keys with an empty value, hence the one byte.
	if err := ctx.GetStub().PutState(key, []byte{0}); err != nil {
		return fmt.Errorf("index asset %s by owner: %w", asset.ID, err)
	}
	return nil
}

func unindex(ctx contractapi.TransactionContextInterface, asset *Asset) error {
	key, err := ctx.GetStub().CreateCompositeKey(ownerIndex, []string{asset.Owner, asset.ID})
	if err == nil {
		err = ctx.GetStub().DelState(key)
	}
	if err != nil {
		return fmt.Errorf("take asset %s out of the owner index: %w", asset.ID, err)
	}
	return nil
}
