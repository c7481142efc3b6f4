// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"crypto"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	stdx509 "crypto/x509"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/exit"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/material"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/output"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	x509 "github.com/hyperledger/fabric/common/crypto/gmx509"
	files "github.com/hyperledger/fabric/common/crypto/material"
	"github.com/hyperledger/fabric/common/loglimit"
	"github.com/hyperledger/fabric/common/mspfolder"
)

// UpgradeCommand returns gmtls upgrade-check.
func UpgradeCommand() *cobra.Command {
	var (
		msps   []string
		format output.Format
	)
	c := &cobra.Command{
		Use:   "upgrade-check PATH...",
		Short: "find every file, key and identity that a node of this version refuses, before the upgrade",
		Long: `Reads what a node reads, with the same code, and changes nothing. PATH is
  a folder with core.yaml or orderer.yaml (FABRIC_CFG_PATH): its MSP, the TLS and TLCP files of every section, and the
    connection.json of installed chaincode; variables CORE_ and ORDERER_ of the environment count as they do for the node;
  a config block (peer channel fetch config): the MSPs of all organisations, their lists, and the consenters;
  any other file that gmtls inspect takes.
Run it on each node as the node's user, from the folder in which the node is started.

Exit codes: 0 nothing is refused (warnings aside); 1 wrong usage or unreadable file; 5 something is refused.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && len(msps) == 0 {
				return errors.New("upgrade-check needs folders with core.yaml or orderer.yaml, or config blocks")
			}
			if err := format.Check(); err != nil {
				return err
			}
			r := &Report{now: time.Now()}
			for _, path := range args {
				if err := r.upgrade(path); err != nil {
					return err
				}
			}
			for _, dir := range msps {
				if err := r.node(dir); err != nil {
					return err
				}
			}
			r.finish()
			if err := format.Write(c.OutOrStdout(), r, r.write); err != nil {
				return err
			}
			return exit.Silently(r.ExitCode)
		},
	}
	c.Flags().StringArrayVar(&msps, "msp", nil, "the folder of a user, as for gmtls inspect; may be repeated")
	format.Flag(c.Flags())
	return c
}

func (r *Report) upgrade(path string) error {
	if !isDir(path) {
		items, err := r.load(path)
		if err == nil && len(items) > 0 && items[0].Kind == kindBlock {
			return r.channel(path)
		}
		if err == nil && len(items) > 0 && items[0].Kind == kindOtherBlock {
			r.found(path, cause.Find(cause.Unparsable, "%v", errNoConfig))
		}
		return err
	}
	found := false
	for _, kind := range nodeKinds {
		config, err := readNode(path, kind)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		found = true
		if err := r.configured(config); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("%s holds neither core.yaml nor orderer.yaml", path)
	}
	return nil
}

// configured checks what the configuration of a node names.
func (r *Report) configured(c *nodeConfig) error {
	r.add(&Item{Where: c.file, Kind: "configuration", Note: "of " + c.kind.name})
	for _, key := range c.twice {
		r.found(c.file, cause.Find(cause.SettingTwice, "%s", loglimit.Printable(key.String())))
	}
	password, err := x509.ReadPasswordFile(c.text(c.kind.bccsp + ".GM.FileKeyStore.PasswordFile"))
	if err != nil {
		r.refused(c, c.kind.bccsp+".GM.FileKeyStore.PasswordFile", err)
	}
	dir := c.path(c.kind.msp)
	r.password = password
	switch {
	case !isDir(dir):
		r.refused(c, c.kind.msp, fmt.Errorf("%s is not a folder", dir))
	default:
		m, err := r.readMSP(dir)
		if err != nil {
			return err
		}
		r.checkMSP(m)
	}
	r.password = nil
	for _, section := range c.kind.sections {
		if r.isOn(c, section.enabled) {
			r.section(c, section)
		}
	}
	if c.kind.chaincode == "" {
		return nil
	}
	builds := filepath.Join(c.path(c.kind.chaincode), "externalbuilder", "builds")
	installed, err := os.ReadDir(builds)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, build := range installed {
		name := filepath.Join(builds, build.Name(), "release", "chaincode", "server", "connection.json")
		_, err := r.load(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) { // other chaincode has none
			return err
		}
	}
	return nil
}

// refused reports a key of the configuration whose files a node refuses.
func (r *Report) refused(c *nodeConfig, key string, err error) {
	r.found(c.at(key), cause.Find(unreadableBy(err), "%s", loglimit.Printable(err.Error())))
}

// isOn reports whether a switch is on. One that cannot be read counts as on, so that what it would switch on is checked too.
func (r *Report) isOn(c *nodeConfig, key string) bool {
	on, err := c.isOn(key)
	if err != nil {
		r.refused(c, key, err)
	}
	return on || err != nil
}

// section checks the files of one listener or dialer.
func (r *Report) section(c *nodeConfig, s section) {
	var roots []*files.Certificate
	keys := slices.Clone(s.roots)
	if s.clientAuth == "" || r.isOn(c, s.clientAuth) {
		keys = append(keys, s.clientRoots)
	}
	for _, key := range keys {
		for _, name := range c.paths(key) {
			certs, err := files.ReadCertificates(name)
			if err != nil {
				r.refused(c, key, err)
				continue
			}
			r.add(&Item{Where: name, Kind: "roots", Note: fmt.Sprintf("%d, of %s", len(certs), key)})
			roots = append(roots, certs...)
			for _, cert := range certs {
				r.checkSize(name, cert.PublicKey)
			}
		}
	}
	r.sectionLists(c, s.lists, roots)
	password, err := x509.ReadPasswordFile(c.path(s.password))
	if err != nil {
		r.refused(c, s.password, err)
	}
	tls13 := slices.ContainsFunc(s.protocols, func(key string) bool { return slices.Contains(c.words(key), "TLS13") })
	for _, p := range s.pairs {
		if p.gm() {
			r.tlcpPair(c, p, password, roots, tls13)
			continue
		}
		if c.text(p.cert) == "" || c.text(s.mode) == "gm" && absent(c.path(p.cert)) && absent(c.path(p.key)) {
			continue // a node that speaks only TLCP does without
		}
		chain, _, err := c.half(p.cert, p.key, nil)
		if err != nil {
			r.refused(c, p.cert, err)
		}
		for _, cert := range chain {
			r.checkSize(c.path(p.cert), cert.PublicKey)
		}
	}
}

// sectionLists checks revocation lists as the node does at its start: their CAs are among the roots of the section.
func (r *Report) sectionLists(c *nodeConfig, key string, roots []*files.Certificate) {
	var cas []*x509.Certificate
	for _, root := range roots {
		cas = append(cas, root.Certificate)
	}
	for _, name := range c.paths(key) {
		lists, err := files.ReadLists(name)
		for _, list := range lists {
			if _, err = mspfolder.Issuer(list.CertificateList, cas); err == nil {
				_, err = mspfolder.Scope(list.CertificateList)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
				break
			}
		}
		if err != nil {
			r.refused(c, key, err)
			continue
		}
		r.add(&Item{Where: name, Kind: "revocation lists", Note: fmt.Sprintf("%d, of %s", len(lists), key)})
	}
}

func absent(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, os.ErrNotExist)
}

// tlcpPair checks a pair as the node does at its start, and as its peers do then. tls13: the node may present it in TLS 1.3 as well.
func (r *Report) tlcpPair(c *nodeConfig, p pair, password []byte, roots []*files.Certificate, tls13 bool) {
	if c.text(p.cert) == "" {
		return
	}
	sign, signKey, err := c.half(p.cert, p.key, password)
	if err != nil {
		r.refused(c, p.cert, err)
		return
	}
	enc, encKey, err := c.half(p.encCert, p.encKey, password)
	if err != nil {
		r.refused(c, p.encCert, err)
		return
	}
	own, err := gmtls.NewCertificate(sign, signKey, enc, encKey)
	if err != nil {
		r.refused(c, p.cert, err)
		return
	}
	pool := x509.NewCertPool()
	known := false
	for _, root := range roots {
		if root.Family() == files.SM2 {
			pool.AddCert(root.Certificate)
			known = true
		}
	}
	under := pool.SM()
	if !known {
		under = nil
		r.found(c.at(p.cert), cause.Warn(cause.UnknownRoot, "no SM2 root is configured for it, so its chain cannot be checked"))
	}
	usage := stdx509.ExtKeyUsageServerAuth
	if strings.Contains(strings.ToLower(p.cert), "client") {
		usage = stdx509.ExtKeyUsageClientAuth
	}
	if err := own.CheckAsPeer(under, usage, r.now); err != nil {
		r.found(c.at(p.cert), cause.Find(cause.ChainBroken, "a peer refuses the pair: %s", loglimit.Printable(err.Error())))
		return
	}
	if err := x509.CheckTLS13Usage(own.Leaf); tls13 && err != nil {
		r.found(c.at(p.cert), cause.Find(cause.SignUsage, "%v", err))
		return
	}
	r.add(&Item{Where: c.path(p.cert), Kind: "TLCP pair", Note: "of " + p.cert})
}

// half reads a certificate and its key.
func (c *nodeConfig) half(certKey, keyKey string, password []byte) ([]*files.Certificate, crypto.PrivateKey, error) {
	cert, err := files.Read(c.path(certKey))
	if err != nil {
		return nil, nil, err
	}
	keys, err := files.Read(c.path(keyKey))
	if err != nil {
		return nil, nil, err
	}
	key, err := keys.PrivateKey(password)
	if err != nil {
		return nil, nil, err
	}
	chain, err := cert.Chain(key)
	return chain, key, err
}

// channel checks the MSPs of all organisations in a config block. Its consenters are checked where it is taken in.
func (r *Report) channel(name string) error {
	data, err := material.ReadFile(name)
	if err != nil {
		return err
	}
	block := new(common.Block)
	if err := proto.Unmarshal(data, block); err != nil {
		return err
	}
	_, root, err := ConfigOf(block.GetData().GetData()[0])
	if err != nil {
		return nil // was said where the block was taken in
	}
	r.group(name, root, 0)
	return nil
}

// group goes through the groups of a channel's configuration for their MSPs.
func (r *Report) group(where string, group *common.ConfigGroup, depth int) {
	if value := group.GetValues()["MSP"].GetValue(); value != nil {
		r.channelMSP(where, value)
	}
	for _, name := range sortedKeys(group.GetGroups()) {
		if depth < maxDepth {
			r.group(where+":"+loglimit.Printable(name), group.Groups[name], depth+1)
		}
	}
}

func (r *Report) channelMSP(where string, value []byte) {
	var config msp.MSPConfig
	var fabric msp.FabricMSPConfig
	if proto.Unmarshal(value, &config) != nil || proto.Unmarshal(config.Config, &fabric) != nil {
		r.found(where, cause.Find(cause.Unparsable, "the MSP cannot be decoded"))
		return
	}
	if config.Type != 0 {
		return // idemix
	}
	var issuers []*x509.Certificate
	read := func(folder string, texts [][]byte) {
		for i, text := range texts {
			certs, err := files.ParseCertificates(fmt.Sprintf("%s:%s %d", where, folder, i+1), text)
			if err != nil {
				r.unreadable(err)
				continue
			}
			if err := mspfolder.CheckCertificate(folder, certs[0].Certificate); err != nil {
				r.found(certs[0].File, cause.Find(cause.FamilyMixed, "%s", loglimit.Printable(err.Error())))
			}
			r.checkSize(certs[0].File, certs[0].PublicKey)
			if folder != mspfolder.AdminCerts {
				issuers = append(issuers, certs[0].Certificate)
			}
		}
	}
	read(mspfolder.CACerts, fabric.RootCerts)
	read(mspfolder.IntermediateCerts, fabric.IntermediateCerts)
	read(mspfolder.TLSCACerts, slices.Concat(fabric.TlsRootCerts, fabric.TlsIntermediateCerts))
	read(mspfolder.AdminCerts, fabric.Admins)
	for i, text := range fabric.RevocationList {
		lists, err := files.ParseLists(fmt.Sprintf("%s:list %d", where, i+1), text)
		if err != nil {
			r.unreadable(err)
			continue
		}
		r.listOf(lists[0].File, lists[0].CertificateList, issuers)
	}
}

func (r *Report) listOf(where string, list *pkix.CertificateList, issuers []*x509.Certificate) {
	if err := mspfolder.CheckList(list, issuers); err != nil {
		r.found(where, cause.Find(cause.CRLForeign, "%s", loglimit.Printable(err.Error())))
	}
}
