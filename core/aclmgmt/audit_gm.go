// SPDX-License-Identifier: Apache-2.0

package aclmgmt

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go/common"
	pb "github.com/hyperledger/fabric-protos-go/peer"
	"github.com/hyperledger/fabric/common/audit"
	"github.com/hyperledger/fabric/core/aclmgmt/resources"
	"github.com/hyperledger/fabric/protoutil"
)

// byOperators are the resources by which operators change a peer.
var byOperators = []string{
	resources.Cscc_JoinChain, resources.Cscc_JoinChainBySnapshot, resources.Lifecycle_InstallChaincode, resources.Lscc_Install,
	resources.Snapshot_submitrequest, resources.Snapshot_cancelrequest,
}

// CheckACL checks whether the signers of idinfo may use the resource on a channel.
//
//fork:wrap gm: failed policies and requests of operators are security events
func (am *aclMgmtImpl) CheckACL(resName string, channelID string, idinfo any) error {
	return record(resName, channelID, idinfo, am.upstreamCheckACL(resName, channelID, idinfo))
}

// CheckACLNoChannel checks whether the signers of idinfo may use the resource of the peer.
//
//fork:wrap gm: failed policies and requests of operators are security events
func (am *aclMgmtImpl) CheckACLNoChannel(resName string, idinfo any) error {
	return record(resName, "", idinfo, am.upstreamCheckACLNoChannel(resName, idinfo))
}

// record records a check if its outcome is a security event, and returns its error.
func record(resource, channel string, idinfo any, err error) error {
	switch {
	case err != nil:
		audit.Bounded(audit.PolicyFailed, "channel", channel, "rule", resource, "by", func() string { return signers(idinfo) }, "reason", err.Error())
	case slices.Contains(byOperators, resource):
		audit.Record(audit.OperatorRequest, "method", "proposal", "path", resource, "operator", signers(idinfo), "address", "")
	}
	return err
}

// signers names who has signed a request, in each form that the peer's services hand over.
func signers(idinfo any) string {
	switch info := idinfo.(type) {
	case []*protoutil.SignedData:
		return protoutil.LogMessageForSerializedIdentities(info)
	case *common.Envelope:
		if data, err := protoutil.EnvelopeAsSignedData(info); err == nil {
			return protoutil.LogMessageForSerializedIdentities(data)
		}
	case *pb.SignedProposal:
		proposal, err := protoutil.UnmarshalProposal(info.GetProposalBytes())
		if err != nil {
			break
		}
		header, err := protoutil.UnmarshalHeader(proposal.Header)
		if err != nil {
			break
		}
		if by, err := protoutil.UnmarshalSignatureHeader(header.SignatureHeader); err == nil {
			return protoutil.LogMessageForSerializedIdentity(by.Creator)
		}
	}
	return "unknown"
}
