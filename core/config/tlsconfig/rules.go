// SPDX-License-Identifier: Apache-2.0

package tlsconfig

import (
	"fmt"
	"strings"
	"time"

	"github.com/hyperledger/fabric/internal/pkg/comm"
)

// Setting is a value of the configuration and the key that gives it.
type Setting struct{ Key, Value string }

// Pair are the settings that name the files of a TLCP pair: signing certificate and key, encryption certificate and key.
type Pair [4]Setting

// Given reports whether the files of the pair are named.
func (p Pair) Given() bool { return p[0].Value != "" }

// Check refuses a pair that is named in part.
func (p Pair) Check() error {
	given, missing := "", ""
	for _, file := range p {
		if file.Value != "" {
			given = file.Key
		} else if missing == "" {
			missing = file.Key
		}
	}
	if given != "" && missing != "" {
		return fmt.Errorf("%s is missing, and %s is given: the four files of a TLCP pair go together", missing, given)
	}
	return nil
}

// Listener is what the configuration says of one listener. The orderer and the peer have the same rules for it.
type Listener struct {
	Mode Setting
	// Enabled says whether the listener is protected at all, EnabledKey where that is configured.
	Enabled    bool
	EnabledKey string
	// Certificate of crypto/tls.
	Certificate Setting
	Pair        Pair
	// CipherSuites are those of TLCP, SuitesKey their key.
	CipherSuites []string
	SuitesKey    string
	Revocation   Revocation
	// Protocols are what the GM modes mean, ProtocolsKey their key.
	Protocols    []string
	ProtocolsKey string
}

// Revocation says whether the certificates of peers are checked for revocation, and by which lists in addition to the channels'.
type Revocation struct {
	Check    bool
	CheckKey string
	Lists    []string
	ListsKey string
}

// check refuses a check without effect, and lists without a check.
func (r Revocation) check(enabled bool, enabledKey string) error {
	switch {
	case r.Check && !enabled:
		return fmt.Errorf("%s is true but %s is false: there are no certificates to check", r.CheckKey, enabledKey)
	case !r.Check && len(r.Lists) > 0:
		return fmt.Errorf("%s is given but %s is false: nothing would be checked by these lists", r.ListsKey, r.CheckKey)
	}
	return nil
}

// Check refuses settings that contradict each other, before a file is opened. A mode with TLCP that has no effect would leave a
// listener without the protection that its operator believes in.
func (l Listener) Check() error {
	mode, err := comm.ParseServerMode(l.Mode.Value)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Mode.Key, err)
	}
	if err := comm.CheckCipherSuites(l.CipherSuites); err != nil {
		return fmt.Errorf("%s: %w", l.SuitesKey, err)
	}
	if err := comm.CheckGMProtocols(l.Protocols, ""); err != nil {
		return fmt.Errorf("%s: %w", l.ProtocolsKey, err)
	}
	if err := l.Pair.Check(); err != nil {
		return err
	}
	if err := l.Revocation.check(l.Enabled, l.EnabledKey); err != nil {
		return err
	}
	switch {
	case mode == comm.ModeTLS && l.Enabled && l.EnabledKey != "" && l.Certificate.Value == "":
		return fmt.Errorf("%s is true but no TLS certificate is given: set %s", l.EnabledKey, l.Certificate.Key)
	case mode == comm.ModeTLS:
		return nil
	case !l.Enabled:
		return fmt.Errorf("%s is %q but %s is false: the listener would be unprotected", l.Mode.Key, mode, l.EnabledKey)
	case !l.Pair.Given():
		return fmt.Errorf("%s is %q but no SM2 certificates are given: set %s and its three companions", l.Mode.Key, mode, l.Pair[0].Key)
	case mode == comm.ModeDual && l.Certificate.Value == "":
		return fmt.Errorf("%s is %q but no TLS certificate is given: set %s", l.Mode.Key, mode, l.Certificate.Key)
	}
	return nil
}

// CheckDialer refuses to dial without protection where a client mode is given that has TLCP.
func CheckDialer(mode Setting, enabled bool, enabledKey string) error {
	parsed, err := comm.ParseClientMode(mode.Value)
	if err != nil {
		return fmt.Errorf("%s: %w", mode.Key, err)
	}
	if parsed == comm.ClientGM && !enabled {
		return fmt.Errorf("%s is %q but %s is false: connections would be unprotected", mode.Key, parsed, enabledKey)
	}
	return nil
}

// CheckDrainGrace refuses a time without a unit, which those who read it from YAML take for nanoseconds. 0 means the default.
func CheckDrainGrace(key string, grace time.Duration) error {
	if grace != 0 && grace < time.Millisecond {
		return fmt.Errorf("%s is %s: write a time with its unit, such as 60s", key, grace)
	}
	return nil
}

// Unused says that a pair is given which none of the modes uses, "" where there is nothing to say. It is the first step of a
// switch, so no error.
func Unused(pair Pair, modes ...Setting) string {
	if !pair.Given() {
		return ""
	}
	var reasons []string
	for _, mode := range modes {
		if mode.Value != "" && mode.Value != string(comm.ModeTLS) {
			return ""
		}
		reasons = append(reasons, mode.Key+" is tls")
	}
	return fmt.Sprintf("The TLCP pair of %s and its three companions is not in use: %s", pair[0].Key, strings.Join(reasons, " and "))
}
