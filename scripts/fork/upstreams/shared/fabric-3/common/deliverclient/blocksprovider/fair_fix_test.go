// SPDX-License-Identifier: Apache-2.0

package blocksprovider

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hyperledger/fabric/common/deliverclient/orderers"
	"github.com/hyperledger/fabric/common/flogging"
)

// accuser is a monitor that has found censorship.
type accuser struct{ CensorshipDetector }

func (accuser) ErrorsChannel() <-chan error {
	found := make(chan error, 1)
	found <- &ErrCensorship{Message: "blocks are withheld"}
	return found
}

// TestAnotherOrganisationIsAsked: whom a peer asks when an orderer of an organisation with many endpoints fails, or withholds blocks.
func TestAnotherOrganisationIsAsked(t *testing.T) {
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("many-%d", i))
	}
	logger := flogging.MustGetLogger("test")
	source := orderers.NewConnectionSource(logger, nil, "")
	source.Update(nil, map[string]orderers.OrdererOrg{"many": {Addresses: many}, "few": {Addresses: []string{"few-0"}}})

	failing := make(chan error, 1)
	for name, prepare := range map[string]func(*BFTDeliverer){
		"fails": func(d *BFTDeliverer) {
			d.fetchErrorsC, d.censorshipMonitor = failing, &BFTCensorshipMonitor{}
			failing <- errors.New("gone")
		},
		"withholds": func(d *BFTDeliverer) { d.censorshipMonitor = accuser{} },
	} {
		d := &BFTDeliverer{Logger: logger, orderers: source}
		d.refreshSources()
		for range 20 {
			was := d.fetchSources[d.fetchSourceIndex].Address
			prepare(d)
			require.False(t, d.handleFetchAndCensorshipEvents())
			is := d.fetchSources[d.fetchSourceIndex].Address
			require.NotEqual(t, strings.HasPrefix(was, "many"), strings.HasPrefix(is, "many"), "%s: %s after %s", name, is, was)
		}
	}
}
