// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/internal/cryptogen/ca"
	"github.com/hyperledger/fabric/internal/cryptogen/csp"
	"github.com/hyperledger/fabric/internal/cryptogen/msp"
)

// The algorithms of an organisation's identities.
const (
	algorithmGM    = "gm"
	algorithmECDSA = "ecdsa"
)

const gmTLSCAFolder = "gmtlsca"

// algorithm serves every new organisation that names none itself.
var algorithm = app.Flag("algorithm",
	"Algorithm of the identities of new organizations that set no Algorithm: gm (SM2) or ecdsa (default). Existing ones keep theirs.").
	Enum(algorithmGM, algorithmECDSA)

// OrgSpec gains the choice of algorithm.
//
//fork:fields gm: algorithm and TLCP pairs per organisation
type OrgSpec struct {
	// Algorithm is gm or ecdsa; empty leaves it to the flag or, for an
	// organisation that exists, to its CA.
	Algorithm string `yaml:"Algorithm"`
	// TLCP asks for TLCP pairs in addition to TLS certificates; nil means
	// yes for gm and no for ecdsa.
	TLCP *bool `yaml:"TLCP"`
}

// newCAFunc makes a CA in baseDir. about holds organisation, name, country, province, locality, unit, street and postal code, as
// ca.NewCA takes them, and what an upstream has behind them.
type newCAFunc = func(baseDir string, about ...string) (*ca.CA, error)

func newGMCA(baseDir string, about ...string) (*ca.CA, error) {
	return ca.NewGMCA(baseDir, about[0], about[1], about[2], about[3], about[4], about[5], about[6], about[7])
}

// renderOrgSpec fills in what the configuration leaves open.
//
//fork:wrap gm: checks the algorithm of the organisation
func renderOrgSpec(orgSpec *OrgSpec, prefix string) error {
	switch orgSpec.Algorithm {
	case "", algorithmGM, algorithmECDSA:
	default:
		return fmt.Errorf("organization %s: Algorithm is %q, must be %s or %s",
			orgSpec.Name, orgSpec.Algorithm, algorithmGM, algorithmECDSA)
	}
	return upstreamRenderOrgSpec(orgSpec, prefix)
}

// wantsGM reports whether a new organisation is to have SM2 identities.
func (o OrgSpec) wantsGM() bool {
	if o.Algorithm == "" {
		return *algorithm == algorithmGM
	}
	return o.Algorithm == algorithmGM
}

// newSignCA returns the constructor for the CA of a new organisation's identities.
func (o OrgSpec) newSignCA() newCAFunc {
	if o.wantsGM() {
		return newGMCA
	}
	return newCA
}

// newTLSCA returns the constructor for a new organisation's TLS CA, which also
// makes the SM2 TLS CA if the organisation is to have TLCP pairs.
func (o OrgSpec) newTLSCA() newCAFunc {
	wantTLCP := o.wantsGM()
	if o.TLCP != nil {
		wantTLCP = *o.TLCP
	}
	if !wantTLCP {
		return newCA
	}
	return func(baseDir string, about ...string) (*ca.CA, error) {
		tlsCA, err := newCA(baseDir, about...)
		if err != nil {
			return nil, err
		}
		about[1] = "gm" + about[1]
		tlsCA.GMTLS, err = newGMCA(gmTLSCADir(baseDir), about...)
		return tlsCA, err
	}
}

// gmTLSCADir is the folder of the SM2 TLS CA, a sibling of the TLS CA's.
func gmTLSCADir(tlsCADir string) string {
	return filepath.Join(filepath.Dir(tlsCADir), gmTLSCAFolder)
}

// getCA loads the CA of an existing organisation's identities; the process ends
// if what is there is not usable. The private key may be kept elsewhere, and is
// missed when there is something to issue.
//
//fork:replace gm: SM2 keys load too, and a CA that is damaged is an error
func getCA(caDir string, spec OrgSpec, name string) *ca.CA {
	loaded := mustCA(loadCA(caDir, spec, name))
	if spec.Algorithm != "" && loaded.SignCert != nil && (spec.Algorithm == algorithmGM) != loaded.IsGM() {
		mustCA(nil, fmt.Errorf("organization %s asks for Algorithm %s, but its CA in %s is of the other kind; an existing organization keeps its algorithm",
			spec.Name, spec.Algorithm, caDir))
	}
	return loaded
}

// extendPeerOrg adds what is missing to an organisation of peers.
//
//fork:wrap gm: nodes and users that existed before their organisation had TLCP get pairs too
func extendPeerOrg(orgSpec OrgSpec) {
	upstreamExtendPeerOrg(orgSpec)
	extendTLCP("peerOrganizations", orgSpec)
}

// extendOrdererOrg adds what is missing to an organisation of orderers.
//
//fork:wrap gm: nodes and users that existed before their organisation had TLCP get pairs too
func extendOrdererOrg(orgSpec OrgSpec) {
	upstreamExtendOrdererOrg(orgSpec)
	extendTLCP("ordererOrganizations", orgSpec)
}

func extendTLCP(kind string, orgSpec OrgSpec) {
	orgDir := filepath.Join(*inputDir, kind, orgSpec.Domain)
	signCA := getCA(filepath.Join(orgDir, "ca"), orgSpec, orgSpec.CA.CommonName)
	tlsCA := getTLSCA(filepath.Join(orgDir, "tlsca"), orgSpec, "tls"+orgSpec.CA.CommonName)
	if err := msp.AddTLCPToExisting(orgDir, signCA, tlsCA); err != nil {
		fmt.Fprintf(os.Stderr, "Error generating TLCP material for %s: %v\n", orgDir, err)
		os.Exit(1)
	}
}

// getTLSCA loads the TLS CA of an existing organisation, and loads or makes its
// SM2 TLS CA. With TLCP unset the organisation stays as it is.
func getTLSCA(tlsCADir string, spec OrgSpec, name string) *ca.CA {
	tlsCA := mustCA(loadCA(tlsCADir, spec, name))
	gmDir := gmTLSCADir(tlsCADir)
	_, err := os.Stat(gmDir)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		mustCA(nil, err)
	}

	wantTLCP := exists
	if spec.TLCP != nil {
		wantTLCP = *spec.TLCP
	}
	switch {
	case !wantTLCP:
	case exists:
		tlsCA.GMTLS = mustCA(loadCA(gmDir, spec, "gm"+name))
	default:
		tlsCA.GMTLS = mustCA(ca.NewGMCA(gmDir, spec.Domain, "gm"+name, spec.CA.Country, spec.CA.Province, spec.CA.Locality,
			spec.CA.OrganizationalUnit, spec.CA.StreetAddress, spec.CA.PostalCode))
		signCA := mustCA(loadCA(filepath.Join(filepath.Dir(tlsCADir), "ca"), spec, spec.CA.CommonName))
		if err := msp.AddGMTLSRoot(filepath.Join(filepath.Dir(tlsCADir), "msp"), signCA, tlsCA); err != nil {
			mustCA(nil, err)
		}
	}
	return tlsCA
}

// loadCA reads what dir holds of a CA that cryptogen wrote there: certificate
// and key, or only the certificate, or nothing.
func loadCA(dir string, spec OrgSpec, name string) (*ca.CA, error) {
	signer, err := csp.LoadSigner(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	cert, err := loadCertificate(dir)
	if err != nil {
		return nil, err
	}
	if signer != nil && cert == nil {
		return nil, fmt.Errorf("%s: private key without a CA certificate (*.pem)", dir)
	}
	if signer != nil {
		if err := x509.CheckKeyPair(cert, signer); err != nil {
			return nil, fmt.Errorf("%s: CA certificate of %s: %w", dir, cert.Subject.CommonName, err)
		}
	}
	loaded := &ca.CA{Name: name, Signer: signer, SignCert: cert}
	loaded.Country, loaded.Province, loaded.Locality = spec.CA.Country, spec.CA.Province, spec.CA.Locality
	loaded.OrganizationalUnit, loaded.StreetAddress, loaded.PostalCode = spec.CA.OrganizationalUnit, spec.CA.StreetAddress, spec.CA.PostalCode
	return loaded, nil
}

// mustCA ends the process on an error, as the rest of this command does.
func mustCA(loaded *ca.CA, err error) *ca.CA {
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error loading CA: %v\n", err)
		os.Exit(1)
	}
	return loaded
}

// generateNodes writes the material of nodes or users that have none.
//
//fork:wrap gm: adds TLCP pairs, and says when a CA is not there
func generateNodes(baseDir string, nodes []NodeSpec, signCA *ca.CA, tlsCA *ca.CA, nodeType int, nodeOUs bool) {
	for _, node := range nodes {
		if _, err := os.Stat(filepath.Join(baseDir, node.CommonName)); err == nil {
			continue
		}
		for _, issuer := range []*ca.CA{signCA, tlsCA} {
			if issuer.Signer == nil || issuer.SignCert == nil {
				mustCA(nil, fmt.Errorf("CA %s is needed for %s: its private key or certificate is missing", issuer.Name, node.CommonName))
			}
		}
	}
	upstreamGenerateNodes(baseDir, nodes, signCA, tlsCA, nodeType, nodeOUs)
	for _, node := range nodes {
		err := msp.AddTLCP(filepath.Join(baseDir, node.CommonName), node.CommonName, node.SANS, signCA, tlsCA, nodeType)
		if err != nil {
			fmt.Fprintf(os.Stderr, "Error generating TLCP material for %s: %v\n", node.CommonName, err)
			os.Exit(1)
		}
	}
}

// algorithmHelp explains our keys in the template that showtemplate prints.
const algorithmHelp = `
    # ---------------------------------------------------------------------------
    # "Algorithm", "TLCP"
    # ---------------------------------------------------------------------------
    # Algorithm: gm makes SM2 identities, ecdsa makes P-256 ones. If absent, the
    #            flag --algorithm decides, and without it the value is ecdsa.
    # TLCP:      true adds an SM2 TLS CA (gmtlsca) and, to each tls folder, a
    #            signing and an encryption certificate for TLCP (GB/T 38636).
    #            The standard TLS files remain. Default: true for gm, else false.
    # ---------------------------------------------------------------------------
`

// annotateTemplate adds the keys Algorithm and TLCP to each organisation of the
// default template, with an explanation at the first. They stand as comments
// unless --algorithm chose one.
func annotateTemplate(template string) string {
	setting := "    # Algorithm: gm\n    # TLCP: true\n"
	if *algorithm != "" {
		setting = "    Algorithm: " + *algorithm + "\n    # TLCP: true\n"
	}
	var out strings.Builder
	explained := false
	for line := range strings.Lines(template) {
		out.WriteString(line)
		if !strings.HasPrefix(line, "    Domain:") {
			continue
		}
		if !explained {
			out.WriteString(algorithmHelp)
			explained = true
		}
		out.WriteString(setting)
	}
	return out.String()
}
