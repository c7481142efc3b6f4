// SPDX-License-Identifier: Apache-2.0

package txvalidator

import "github.com/hyperledger/fabric/core/committer/txvalidator/plugin"

// ValidateWithPlugin refuses what no peer can validate.
//
//fork:wrap fix: a chaincode with a validation plugin that no peer can have stops no peer
func (pv *PluginValidator) ValidateWithPlugin(ctx *Context) error {
	if err := plugin.Nowhere(pv.Mapper, ctx.VSCCName); err != nil {
		return err
	}
	return pv.upstreamValidateWithPlugin(ctx)
}
