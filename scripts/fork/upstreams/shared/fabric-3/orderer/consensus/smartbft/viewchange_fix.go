// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hyperledger-labs/SmartBFT/pkg/api"
	smartbft "github.com/hyperledger-labs/SmartBFT/pkg/consensus"
	"github.com/hyperledger-labs/SmartBFT/pkg/metrics"
	"github.com/hyperledger-labs/SmartBFT/pkg/types"
	"github.com/hyperledger-labs/SmartBFT/smartbftprotos"
	"google.golang.org/protobuf/proto"
)

// HandleMessage gives the library a leader's proof that the view changed only if it proves that. The library counts what the proof says of
// decisions older than its own without a look at the signatures, and accepts a proof of the view that it is already in.
//
//fork:wrap fix: a leader that lies about what others said in a change of the view can neither end them, nor have two blocks of one number signed
func (c *BFTChain) HandleMessage(sender uint64, m *smartbftprotos.Message) {
	judged, err := c.judgeViewChange(sender, m)
	if err != nil {
		c.Logger.Warnf("Dropped a message of consenter %d about a change of the view: %v", sender, err)
		return
	}
	c.upstreamHandleMessage(sender, judged)
}

// bftSmartConsensusBuild also has the library tell the chain which view it is in.
//
//fork:wrap fix: the chain knows the view that the library has established
func bftSmartConsensusBuild(c *BFTChain, inspector *RequestInspector, egress EgressCommFactory, synchronizer SynchronizerFactory) *smartbft.Consensus {
	watchViews(c.MetricsBFT.MetricsViewChange)
	return upstreamBftSmartConsensusBuild(c, inspector, egress, synchronizer)
}

// views follows the view that the library has established. A metric is all by which the library tells it.
type views struct {
	metrics.Gauge
	established atomic.Uint64

	lock  sync.Mutex
	given map[uint64]uint64 // by sender, the latest view of which the library was given a proof
}

func watchViews(m *api.MetricsViewChange) {
	m.RealView = &views{Gauge: m.RealView, given: map[uint64]uint64{}}
}

// Set is called by the library before it begins to work in the view.
func (v *views) Set(view float64) {
	v.established.Store(uint64(view))
	v.Gauge.Set(view)
}

// give says whether the library may have this proof. A leader sends one; the library could judge a second one from its queue when it is
// long at work in that view.
func (v *views) give(sender, view uint64) error {
	v.lock.Lock()
	defer v.lock.Unlock()
	if view <= v.given[sender] {
		return fmt.Errorf("this consenter has already proved view %d", v.given[sender])
	}
	v.given[sender] = view
	return nil
}

// judgeViewChange returns what the library may have of a message. A message that was judged while a block came is judged again: by the time it
// is refused, it can be about the last block and no longer about the next one. Blocks only come, so this ends.
func (c *BFTChain) judgeViewChange(sender uint64, m *smartbftprotos.Message) (*smartbftprotos.Message, error) {
	for {
		rtc := c.RuntimeConfig.Load().(RuntimeConfig)
		judged, err := c.judgeOnce(rtc, sender, m)
		if err == nil || c.RuntimeConfig.Load().(RuntimeConfig).LastBlock == rtc.LastBlock {
			return judged, err
		}
	}
}

func (c *BFTChain) judgeOnce(rtc RuntimeConfig, sender uint64, m *smartbftprotos.Message) (*smartbftprotos.Message, error) {
	switch content := m.GetContent().(type) {
	case *smartbftprotos.Message_ViewData:
		return m, c.checkViewData(rtc, sender, content.ViewData)
	case *smartbftprotos.Message_NewView:
		return c.judgeNewView(rtc, sender, m)
	}
	return m, nil
}

// checkViewData judges what a consenter says to the next leader. Once there is a decision, the library verifies the signature. It may do so
// only after it has taken over a decision from the message, because this can change the consenters. The library takes no decision that is
// later than the next one, and must not see it: when its turn comes, it may be the next one.
func (c *BFTChain) checkViewData(rtc RuntimeConfig, sender uint64, svd *smartbftprotos.SignedViewData) error {
	if svd.GetSigner() != sender {
		return fmt.Errorf("it bears the number of consenter %d", svd.GetSigner())
	}
	own, err := getViewMetadataFromBlock(rtc.LastBlock)
	if err != nil {
		return err
	}
	if own.LatestSequence == 0 {
		if err := c.verifyViewData(svd); err != nil {
			return err
		}
	}
	data, sequence, err := readViewData(svd.GetRawViewData())
	if err != nil {
		return err
	}
	if sequence > own.LatestSequence+1 {
		return fmt.Errorf("the last decision in it is %d, and that of this orderer is %d", sequence, own.LatestSequence)
	}
	return c.after(rtc, own).check(data, sequence)
}

// judgeNewView judges a leader's proof. Nothing is parsed before its signature has verified, and no part is longer than the cluster's
// messages are. A lower limit could keep the view from ever changing after a large block.
func (c *BFTChain) judgeNewView(rtc RuntimeConfig, sender uint64, m *smartbftprotos.Message) (*smartbftprotos.Message, error) {
	own, err := getViewMetadataFromBlock(rtc.LastBlock)
	if err != nil {
		return nil, err
	}
	next := c.after(rtc, own)
	view, latest, err := c.readNewView(m.GetNewView(), next)
	if err != nil {
		return nil, err
	}
	if view <= next.established {
		return nil, fmt.Errorf("it proves view %d, and view %d is established", view, next.established)
	}
	if latest+1 < own.LatestSequence {
		return nil, fmt.Errorf("the last decision in it is %d, and that of this orderer is %d", latest, own.LatestSequence)
	}
	if latest > own.LatestSequence+1 {
		m = callToSync(view, latest)
	}
	return m, c.MetricsBFT.MetricsViewChange.RealView.(*views).give(sender, view)
}

// readNewView returns the view that all parts of a proof are about, and their latest decision. Each part must be signed by another consenter
// of the present configuration.
func (c *BFTChain) readNewView(nv *smartbftprotos.NewView, next *decided) (view, latest uint64, err error) {
	parts := nv.GetSignedViewData()
	if len(parts) == 0 || len(parts) > next.consenters {
		return 0, 0, fmt.Errorf("it has view data of %d consenters, and there are %d", len(parts), next.consenters)
	}
	signers := map[uint64]bool{}
	for _, svd := range parts {
		if signers[svd.GetSigner()] {
			return 0, 0, fmt.Errorf("it has view data of consenter %d twice", svd.GetSigner())
		}
		signers[svd.GetSigner()] = true
		if err := c.verifyViewData(svd); err != nil {
			return 0, 0, err
		}
		data, sequence, err := readViewData(svd.GetRawViewData())
		if err == nil {
			err = next.check(data, sequence)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("view data of consenter %d: %w", svd.GetSigner(), err)
		}
		if len(signers) > 1 && data.NextView != view {
			return 0, 0, fmt.Errorf("it has view data for view %d and for view %d", view, data.NextView)
		}
		view, latest = data.NextView, max(latest, sequence)
	}
	return view, latest, nil
}

func (c *BFTChain) verifyViewData(svd *smartbftprotos.SignedViewData) error {
	err := c.verifier.VerifySignature(types.Signature{ID: svd.GetSigner(), Value: svd.GetSignature(), Msg: svd.GetRawViewData()})
	if err != nil {
		return fmt.Errorf("view data in the name of consenter %d: %w", svd.GetSigner(), err)
	}
	return nil
}

// readViewData also returns the sequence of the last decision: 0 for a channel's first block, which has no metadata.
func readViewData(raw []byte) (*smartbftprotos.ViewData, uint64, error) {
	data, decision := &smartbftprotos.ViewData{}, &smartbftprotos.ViewMetadata{}
	if err := proto.Unmarshal(raw, data); err != nil {
		return nil, 0, err
	}
	if data.LastDecision == nil {
		return nil, 0, errors.New("the last decision is missing")
	}
	if err := proto.Unmarshal(data.LastDecision.Metadata, decision); err != nil {
		return nil, 0, fmt.Errorf("the metadata of the last decision: %w", err)
	}
	return data, decision.LatestSequence, nil
}
