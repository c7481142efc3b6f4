// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

// detailsField is the transient field in which clients send PrivateDetails as JSON: arguments are in the block for
// all to read, transient data do not.
const detailsField = "details"

// PrivateDetails is what the members of a collection know of an asset, and others only by its hash.
type PrivateDetails struct {
	Appraisal int    `json:"appraisal"`
	Remark    string `json:"remark"`
	// Salt keeps others from finding the details by trying likely ones against the hash. At least 16 characters.
	Salt string `json:"salt"`
}

// PutPrivateDetails writes the details in the transient field "details" to collection, which is one that the
// chaincode's definition names or an organisation's own (_implicit_org_ followed by its MSP id).
func (c *Contract) PutPrivateDetails(ctx contractapi.TransactionContextInterface, collection, id string) error {
	if _, err := c.owned(ctx, id); err != nil {
		return err
	}
	transient, err := ctx.GetStub().GetTransient()
	if err != nil {
		return fmt.Errorf("read the transient data: %w", err)
	}
	raw, ok := transient[detailsField]
	if !ok {
		return fmt.Errorf("the transient field %q is missing", detailsField)
	}
	details := &PrivateDetails{}
	if err := json.Unmarshal(raw, details); err != nil {
		// Not wrapped: the JSON error may quote the private data, and errors come back in the open.
		return fmt.Errorf("the transient field %q is not the JSON of private details", detailsField)
	}
	if len(details.Salt) < 16 {
		return errors.New("the salt of the private details is under 16 characters")
	}
	value, err := json.Marshal(details)
	if err != nil {
		return fmt.Errorf("encode the private details of asset %s: %w", id, err)
	}
	if err := ctx.GetStub().PutPrivateData(collection, id, value); err != nil {
		return fmt.Errorf("write the private details of asset %s to %s: %w", id, collection, err)
	}
	return nil
}

// ReadPrivateDetails returns the private details of an asset. Only peers of the collection's members have them.
func (c *Contract) ReadPrivateDetails(ctx contractapi.TransactionContextInterface, collection, id string) (*PrivateDetails, error) {
	value, err := ctx.GetStub().GetPrivateData(collection, id)
	if err != nil {
		return nil, fmt.Errorf("read the private details of asset %s in %s: %w", id, collection, err)
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("asset %s has no private details in %s", id, collection)
	}
	details := &PrivateDetails{}
	if err := json.Unmarshal(value, details); err != nil {
		return nil, fmt.Errorf("the private details of asset %s in %s are damaged", id, collection)
	}
	return details, nil
}

// GetPrivateDetailsHash returns the hash, in hexadecimal, of the private details of an asset, which every peer has.
func (c *Contract) GetPrivateDetailsHash(ctx contractapi.TransactionContextInterface, collection, id string) (string, error) {
	sum, err := ctx.GetStub().GetPrivateDataHash(collection, id)
	if err != nil {
		return "", fmt.Errorf("hash of the private details of asset %s in %s: %w", id, collection, err)
	}
	if len(sum) == 0 {
		return "", fmt.Errorf("asset %s has no private details in %s", id, collection)
	}
	return hex.EncodeToString(sum), nil
}

// DeletePrivateDetails removes the private details of an asset.
func (c *Contract) DeletePrivateDetails(ctx contractapi.TransactionContextInterface, collection, id string) error {
	if _, err := c.owned(ctx, id); err != nil {
		return err
	}
	if err := ctx.GetStub().DelPrivateData(collection, id); err != nil {
		return fmt.Errorf("delete the private details of asset %s in %s: %w", id, collection, err)
	}
	return nil
}

// PurgePrivateDetails removes the private details of an asset, and has peers forget what they were.
func (c *Contract) PurgePrivateDetails(ctx contractapi.TransactionContextInterface, collection, id string) error {
	if _, err := c.owned(ctx, id); err != nil {
		return err
	}
	if err := ctx.GetStub().PurgePrivateData(collection, id); err != nil {
		return fmt.Errorf("purge the private details of asset %s in %s: %w", id, collection, err)
	}
	return nil
}
