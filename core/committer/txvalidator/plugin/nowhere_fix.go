// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"
)

// Nowhere returns an error if no peer has a plugin of this name. Names come from the keys of core.yaml, which are read in small letters.
//
// Below V2_0 one member chooses the plugin of a chaincode, and a peer that does not have it stops. A name that another peer may have has no
// verdict here: that peer gives one. A name with a capital letter makes a transaction invalid.
func Nowhere(m Mapper, name string) error {
	if !strings.ContainsAny(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || m.FactoryByName(Name(name)) != nil {
		return nil
	}
	return fmt.Errorf("no peer can have a validation plugin %q", name)
}
