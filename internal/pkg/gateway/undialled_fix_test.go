// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// A member that announces an address which nobody can dial keeps nobody from the others.
func TestAddressThatCannotBeDialled(t *testing.T) {
	for name, call := range namingCalls {
		t.Run(name, func(t *testing.T) {
			test := prepareTest(t, &testDef{members: []networkMember{
				{"id6", "%", "msp1", 0}, {"id4", "peer3:10051", "msp2", 0}, {"id7", "dns:///", "msp3", 0},
			}})
			test.dialer.Calls(func(_ context.Context, target string, _ ...grpc.DialOption) (*grpc.ClientConn, error) {
				if target != "peer3:10051" {
					return nil, errors.New("cannot be dialled")
				}
				return nil, nil
			})
			require.NoError(t, call(test, context.Background(), []string{"msp2"}))
			require.Equal(t, 1, askedOfMsp2())
			require.Len(t, test.server.registry.remoteEndorsers, 1)
		})
	}
}
