// SPDX-License-Identifier: Apache-2.0

package factory

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric/bccsp"
	"github.com/hyperledger/fabric/bccsp/gm"
	"github.com/hyperledger/fabric/bccsp/sw"
	"github.com/hyperledger/fabric/common/crypto/gmx509"
	"github.com/hyperledger/fabric/common/metrics"
	"github.com/hyperledger/fabric/common/metrics/disabled"
	"github.com/spf13/viper"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v2"
)

func TestDefaultGM(t *testing.T) {
	require.NoError(t, startOver(t, &FactoryOpts{Default: "GM"}))
	csp := GetDefault()

	key, err := csp.KeyGen(&bccsp.ECDSAKeyGenOpts{Temporary: true})
	require.NoError(t, err)
	require.True(t, gm.IsKey(key), "new keys are SM2")
	p256, err := csp.KeyGen(&bccsp.ECDSAP256KeyGenOpts{Temporary: true})
	require.NoError(t, err)
	require.False(t, gm.IsKey(p256), "a key whose curve is named is what it says")

	byDefault, err := csp.Hash([]byte("abc"), &bccsp.SHAOpts{})
	require.NoError(t, err)
	sm3, err := csp.Hash([]byte("abc"), &bccsp.SM3Opts{})
	require.NoError(t, err)
	require.Equal(t, sm3, byDefault)
	sha256, err := csp.Hash([]byte("abc"), &bccsp.SHA256Opts{})
	require.NoError(t, err)
	require.NotEqual(t, sm3, sha256, "a hash that is named is what it says")
}

func TestOtherDefaultsStayAsTheyWere(t *testing.T) {
	for _, config := range []*FactoryOpts{GetDefaultOpts(), {Default: "SW", SW: &SwOpts{Security: 256, Hash: "SHA2"}, GM: &GmOpts{Hash: "nonsense"}}} {
		csp, err := GetBCCSPFromOpts(config)
		require.NoError(t, err)
		key, err := csp.KeyGen(&bccsp.ECDSAKeyGenOpts{Temporary: true})
		require.NoError(t, err)
		require.False(t, gm.IsKey(key))
		sum, err := csp.Hash([]byte("abc"), &bccsp.SHAOpts{})
		require.NoError(t, err)
		want, err := csp.Hash([]byte("abc"), &bccsp.SHA256Opts{})
		require.NoError(t, err)
		require.Equal(t, want, sum)
		_, err = csp.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
		require.NoError(t, err, "SM2 is there for those who name it")
	}
}

func TestGMKeyStore(t *testing.T) {
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("secret\r\nsecond line\n"), 0o600))

	get := func(config *FactoryOpts) bccsp.BCCSP {
		t.Helper()
		config.Default = "GM"
		csp, err := GetBCCSPFromOpts(config)
		require.NoError(t, err)
		return csp
	}
	own := &GmFileKeystoreOpts{KeyStorePath: filepath.Join(dir, "own"), PasswordFile: password}
	msp := &SwOpts{FileKeystore: &FileKeystoreOpts{KeyStorePath: filepath.Join(dir, "msp")}}

	for name, c := range map[string]struct {
		config    FactoryOpts
		folder    string
		encrypted bool
	}{
		"its own":                   {FactoryOpts{GM: &GmOpts{FileKeystore: own}, SW: msp}, "own", true},
		"the MSP's":                 {FactoryOpts{SW: msp}, "msp", false},
		"the MSP's with a password": {FactoryOpts{GM: &GmOpts{FileKeystore: &GmFileKeystoreOpts{PasswordFile: password}}, SW: msp}, "msp", true},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := get(&c.config).KeyGen(&bccsp.SM2KeyGenOpts{})
			require.NoError(t, err)
			files, err := filepath.Glob(filepath.Join(dir, c.folder, "*_sk"))
			require.NoError(t, err)
			encrypted := false
			for _, f := range files {
				text, err := os.ReadFile(f)
				require.NoError(t, err)
				if plain, err := gm.DecodeKey(text, []byte("secret")); err == nil && string(plain.SKI()) == string(key.SKI()) {
					encrypted = strings.Contains(string(text), "ENCRYPTED")
				}
			}
			require.Equal(t, c.encrypted, encrypted)
			back, err := get(&c.config).GetKey(key.SKI())
			require.NoError(t, err)
			require.Equal(t, key.SKI(), back.SKI())
			if c.encrypted {
				_, err = get(&FactoryOpts{SW: &SwOpts{FileKeystore: &FileKeystoreOpts{KeyStorePath: filepath.Join(dir, c.folder)}}}).GetKey(key.SKI())
				require.ErrorIs(t, err, gmx509.ErrNoPassword)
			}
		})
	}
	key, err := get(&FactoryOpts{}).KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
	require.NoError(t, err)
	_, err = get(&FactoryOpts{}).GetKey(key.SKI())
	require.Error(t, err, "without a folder nothing is kept")
}

func TestGMBadSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(file, []byte("\nsecret"), 0o600))
	store := func(o GmFileKeystoreOpts) *GmOpts { return &GmOpts{FileKeystore: &o} }
	for text, opts := range map[string]*GmOpts{
		"Security level not supported":             {Security: 384},
		"Hash Family not supported [SHA1]":         {Hash: "SHA1"},
		"there is no key store":                    store(GmFileKeystoreOpts{PasswordFile: file}),
		file + ": the first line is empty":         store(GmFileKeystoreOpts{KeyStorePath: dir, PasswordFile: file}),
		"BCCSP.GM.FileKeyStore.PasswordFile: open": store(GmFileKeystoreOpts{KeyStorePath: dir, PasswordFile: filepath.Join(dir, "none")}),
		"BCCSP.GM.FileKeyStore.KeyStore":           store(GmFileKeystoreOpts{KeyStorePath: filepath.Join(file, "below a file")}),
	} {
		_, err := GetBCCSPFromOpts(&FactoryOpts{Default: "GM", GM: opts})
		require.ErrorContains(t, err, text)
		require.ErrorContains(t, startOver(t, &FactoryOpts{Default: "GM", GM: opts}), text)
	}
	_, err := (&GMFactory{}).Get(nil)
	require.Error(t, err)
	require.Equal(t, "GM", (&GMFactory{}).Name())
}

// countedVerifications counts verifications by source.
type countedVerifications struct {
	*disabled.Provider
	bySource map[string]int
	source   string
}

func (c countedVerifications) NewCounter(metrics.CounterOpts) metrics.Counter { return c }

func (c countedVerifications) With(labels ...string) metrics.Counter {
	c.source = labels[len(labels)-1]
	return c
}

func (c countedVerifications) Add(float64) { c.bySource[c.source]++ }

func TestVerificationMemoSetting(t *testing.T) {
	t.Cleanup(func() {
		sw.RememberVerifications(false)
		sw.UseMetrics(&disabled.Provider{})
	})
	boot, err := GetBCCSPFromOpts(GetDefaultOpts())
	require.NoError(t, err)
	key, err := boot.KeyGen(&bccsp.SM2KeyGenOpts{Temporary: true})
	require.NoError(t, err)
	public, err := key.PublicKey()
	require.NoError(t, err)
	signature, err := boot.Sign(key, []byte("message"), &bccsp.SM2SignerOpts{})
	require.NoError(t, err)

	for _, provider := range []string{"SW", "GM"} {
		for text, repeated := range map[string]string{
			"":                          "remembered",
			"VerificationMemo: true":    "remembered",
			"VerificationMemo: 'true'":  "remembered",
			"VerificationMemo: false":   "computed",
			"VerificationMemo: 'false'": "computed", // as from the environment
		} {
			v := viper.New()
			v.SetConfigType("yaml")
			require.NoError(t, v.ReadConfig(strings.NewReader("BCCSP:\n  Default: "+provider+"\n  "+text)))
			config := GetDefaultOpts()
			require.NoError(t, v.UnmarshalKey("BCCSP", &config))
			require.NoError(t, startOver(t, config))

			if !sw.RememberVerifications(repeated == "remembered") {
				repeated = "computed" // a build with PERF=off
			}
			counted := map[string]int{}
			sw.UseMetrics(countedVerifications{bySource: counted})
			for range 2 {
				ok, err := boot.Verify(public, signature, []byte("message"), &bccsp.SM2SignerOpts{})
				require.NoError(t, err)
				require.True(t, ok)
			}
			want := map[string]int{"computed": 1}
			want[repeated]++
			require.Equal(t, want, counted, "%s %q, a provider from before the configuration was read", provider, text)
		}
	}
	v := viper.New()
	v.Set("BCCSP.VerificationMemo", "perhaps")
	require.ErrorContains(t, v.UnmarshalKey("BCCSP", &FactoryOpts{}), "VerificationMemo")
}

// The section can be written in YAML as the peer reads it, and survives JSON, through which the orderer passes it.
func TestGMSectionDecodes(t *testing.T) {
	const text = `
BCCSP:
  Default: GM
  VerificationMemo: false
  GM:
    Hash: SM3
    Security: 256
    FileKeyStore:
      KeyStore: /keys
      PasswordFile: /password
`
	want := &FactoryOpts{Default: "GM", VerificationMemo: new(bool), GM: &GmOpts{
		Hash: "SM3", Security: 256,
		FileKeystore: &GmFileKeystoreOpts{KeyStorePath: "/keys", PasswordFile: "/password"},
	}}
	v := viper.New()
	v.SetConfigType("yaml")
	require.NoError(t, v.ReadConfig(strings.NewReader(text)))
	var fromViper *FactoryOpts
	require.NoError(t, v.UnmarshalKey("BCCSP", &fromViper))
	require.Equal(t, want, fromViper)

	var fromYAML struct {
		BCCSP *FactoryOpts `yaml:"BCCSP"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(text), &fromYAML))
	require.Equal(t, want, fromYAML.BCCSP)

	raw, err := json.Marshal(want)
	require.NoError(t, err)
	var fromJSON *FactoryOpts
	require.NoError(t, json.Unmarshal(raw, &fromJSON))
	require.Equal(t, want, fromJSON)
}
