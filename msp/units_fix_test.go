// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"fmt"
	"hash"
	mathrand "math/rand"
	"testing"

	"github.com/golang/protobuf/proto"
	m "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric/bccsp"
	"github.com/stretchr/testify/require"
)

// countingHashes counts the chains that are hashed.
type countingHashes struct {
	bccsp.BCCSP
	n int
}

func (c *countingHashes) GetHash(opts bccsp.HashOpts) (hash.Hash, error) {
	c.n++
	return c.BCCSP.GetHash(opts)
}

func unitPrincipal(t *testing.T, mspID, unit string, certifiers []byte) *m.MSPPrincipal {
	raw, err := proto.Marshal(&m.OrganizationUnit{MspIdentifier: mspID, OrganizationalUnitIdentifier: unit, CertifiersIdentifier: certifiers})
	require.NoError(t, err)
	return &m.MSPPrincipal{PrincipalClassification: m.MSPPrincipal_ORGANIZATION_UNIT, Principal: raw}
}

func TestManyPrincipals(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		root := newRoot(t, f, "root")
		made := mustSetup(t, &m.FabricMSPConfig{RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(root)})
		id, err := received(t, made, root.issue(t, f, template(t, "client", "client", "a")))
		require.NoError(t, err)
		count := &countingHashes{BCCSP: made.bccsp}
		made.bccsp = count
		for i := range 1000 {
			require.Error(t, id.SatisfiesPrincipal(unitPrincipal(t, made.name, fmt.Sprint(i), nil)))
			require.Error(t, id.SatisfiesPrincipal(rolePrincipal(t, made.name, m.MSPRole_PEER)))
		}
		require.Equal(t, 1, count.n)
	})
}

// TestUnitsAreThoseOfTheMSP: an identity that has been asked before, one that has not, and upstream's function agree about any principal.
func TestUnitsAreThoseOfTheMSP(t *testing.T) {
	random := mathrand.New(mathrand.NewSource(1))
	eachFamily(t, func(t *testing.T, f family) {
		root, stranger := newRoot(t, f, "root"), newRoot(t, f, "stranger")
		middle := root.issue(t, f, asCA(template(t, "middle")))
		revoked := root.issue(t, f, template(t, "revoked", "client", "a"))
		for _, version := range []MSPVersion{MSPv1_0, MSPv1_1, MSPv1_3, MSPv1_4_3} {
			conf := &m.FabricMSPConfig{
				RootCerts: [][]byte{root.pem()}, IntermediateCerts: [][]byte{middle.pem()},
				RevocationList: [][]byte{root.crl(t, root.key, revoked)},
			}
			admin := middle.issue(t, f, template(t, "admin", "admin", "client"))
			conf.Admins = [][]byte{admin.pem()}
			if version == MSPv1_4_3 {
				conf.FabricNodeOus, conf.Admins = nodeOUs(credential{}), nil
			}
			made, err := setupVersion(t, version, conf)
			require.NoError(t, err)
			under := map[string][]byte{}
			for _, c := range []credential{
				root.issue(t, f, template(t, "none")), root.issue(t, f, template(t, "a", "a", "client")), middle.issue(t, f, template(t, "b", "peer", "b", "a")),
				middle.issue(t, f, template(t, "both", "peer", "client")), revoked, admin, stranger.issue(t, f, template(t, "foreign", "client")),
			} {
				kept, err := received(t, made, c)
				if err != nil {
					continue // ECDSA of another CA
				}
				for range 2 {
					require.Equal(t, kept.(*identity).upstreamGetOrganizationalUnits(), kept.GetOrganizationalUnits())
				}
				for _, unit := range kept.GetOrganizationalUnits() {
					under[string(unit.CertifiersIdentifier)] = unit.CertifiersIdentifier
				}
				for range 50 {
					principal := randomPrincipal(t, random, made.name, under, 2)
					fresh, err := received(t, made, c)
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint(fresh.SatisfiesPrincipal(principal)), fmt.Sprint(kept.SatisfiesPrincipal(principal)))
				}
			}
		}
	})
}

func randomPrincipal(t *testing.T, random *mathrand.Rand, mspID string, under map[string][]byte, depth int) *m.MSPPrincipal {
	switch random.Intn(3) {
	case 0:
		return rolePrincipal(t, mspID, m.MSPRole_MSPRoleType(random.Intn(6)))
	case 1:
		if depth > 0 {
			combined := &m.CombinedPrincipal{}
			for range 1 + random.Intn(3) {
				combined.Principals = append(combined.Principals, randomPrincipal(t, random, mspID, under, depth-1))
			}
			raw, err := proto.Marshal(combined)
			require.NoError(t, err)
			return &m.MSPPrincipal{PrincipalClassification: m.MSPPrincipal_COMBINED, Principal: raw}
		}
	}
	var certifiers []byte
	for _, id := range under {
		certifiers = id
		break
	}
	return unitPrincipal(t, mspID, []string{"a", "b", "client", "peer", "c"}[random.Intn(5)], certifiers)
}

// TestUnitsAfterAnotherSetup: nothing is kept that another set-up of the MSP made.
func TestUnitsAfterAnotherSetup(t *testing.T) {
	root := newRoot(t, familySM2, "root")
	config := func(root credential) *m.FabricMSPConfig {
		return &m.FabricMSPConfig{Name: "TestMSP", RootCerts: [][]byte{root.pem()}, FabricNodeOus: nodeOUs(credential{})}
	}
	made := mustSetup(t, config(root))
	id, err := received(t, made, root.issue(t, familySM2, template(t, "client", "a")))
	require.NoError(t, err)
	require.Len(t, id.GetOrganizationalUnits(), 1)
	raw, err := proto.Marshal(config(newRoot(t, familySM2, "other")))
	require.NoError(t, err)
	require.NoError(t, made.Setup(&m.MSPConfig{Config: raw, Type: int32(FABRIC)}))
	require.Empty(t, id.GetOrganizationalUnits())
}
