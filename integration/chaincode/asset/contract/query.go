// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
)

// maxPage bounds the assets of one page. Peers bound it too, by ledger.state.totalQueryLimit.
const maxPage = 1000

// Page is a part of a query's result.
type Page struct {
	Assets []*Asset `json:"assets"`
	// Bookmark is where the next page starts; empty after the last one.
	Bookmark string `json:"bookmark"`
}

// GetAssetsByRange returns the assets with start <= id < end in the order of ids. An empty start or end leaves that
// side open.
func (c *Contract) GetAssetsByRange(ctx contractapi.TransactionContextInterface, start, end string) ([]*Asset, error) {
	iterator, err := ctx.GetStub().GetStateByRange(start, end)
	if err != nil {
		return nil, fmt.Errorf("assets from %q to %q: %w", start, end, err)
	}
	return collect(iterator, func(kv *queryresult.KV) (*Asset, error) { return decode(kv.GetKey(), kv.GetValue()) })
}

// GetAssetsPage is GetAssetsByRange by pages of at most size assets. bookmark is empty for the first page, and for the
// others that of the page before.
func (c *Contract) GetAssetsPage(ctx contractapi.TransactionContextInterface, start, end string, size int32, bookmark string) (*Page, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	iterator, meta, err := ctx.GetStub().GetStateByRangeWithPagination(start, end, size, bookmark)
	if err != nil {
		return nil, fmt.Errorf("page of assets from %q to %q: %w", start, end, err)
	}
	assets, err := collect(iterator, func(kv *queryresult.KV) (*Asset, error) { return decode(kv.GetKey(), kv.GetValue()) })
	return &Page{Assets: assets, Bookmark: meta.GetBookmark()}, err
}

// GetAssetsByOwner returns the assets of an owner by pages, as GetAssetsPage does.
func (c *Contract) GetAssetsByOwner(ctx contractapi.TransactionContextInterface, owner string, size int32, bookmark string) (*Page, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	iterator, meta, err := ctx.GetStub().GetStateByPartialCompositeKeyWithPagination(ownerIndex, []string{owner}, size, bookmark)
	if err != nil {
		return nil, fmt.Errorf("page of the assets of %q: %w", owner, err)
	}
	assets, err := collect(iterator, func(kv *queryresult.KV) (*Asset, error) {
		_, parts, err := ctx.GetStub().SplitCompositeKey(kv.GetKey())
		if err != nil || len(parts) != 2 {
			return nil, fmt.Errorf("key %q of the owner index is damaged", kv.GetKey())
		}
		return c.ReadAsset(ctx, parts[1])
	})
	return &Page{Assets: assets, Bookmark: meta.GetBookmark()}, err
}

func checkSize(size int32) error {
	if size < 1 || size > maxPage {
		return fmt.Errorf("page size %d: want 1 to %d", size, maxPage)
	}
	return nil
}

// collect reads the iterator to its end and closes it. The result is never nil: the contract API would fail on that.
func collect(iterator shim.StateQueryIteratorInterface, asset func(*queryresult.KV) (*Asset, error)) ([]*Asset, error) {
	defer iterator.Close()
	assets := []*Asset{}
	for iterator.HasNext() {
		kv, err := iterator.Next()
		if err != nil {
			return nil, fmt.Errorf("read the query's result: %w", err)
		}
		a, err := asset(kv)
		if err != nil {
			return nil, err
		}
		assets = append(assets, a)
	}
	return assets, nil
}

func keyAlgorithm(cert *x509.Certificate) string {
	if cert == nil {
		return "idemix"
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		return "EC " + key.Curve.Params().Name
	}
	return cert.PublicKeyAlgorithm.String()
}
