// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"flag"
	"fmt"
	"time"
)

// How submitters pace themselves.
const (
	// loopClosed waits for the commit of each transaction before the next, as an interactive application does. With few
	// submitters it measures the batch timer of the orderers rather than what the network can do.
	loopClosed = "closed"
	// loopOpen does not wait for commits, up to a bound of uncommitted transactions: it measures capacity. With a rate it
	// measures latency under a given load.
	loopOpen = "open"
)

// Settings are what one measurement does. They are in its result.
type Settings struct {
	Submitters  int           `json:"submitters"`
	Evaluators  int           `json:"evaluators"`
	Connections int           `json:"connections"` // that the workers share, in turn
	Loop        string        `json:"loop"`
	Uncommitted int           `json:"uncommitted"`      // most transactions in flight in an open loop
	Rate        float64       `json:"rate"`             // transactions per second that an open loop starts; 0: as many as it can
	Payload     int           `json:"payload"`          // bytes of filling in each asset
	WarmUp      time.Duration `json:"warmUpNanos"`      // before the window that counts
	Duration    time.Duration `json:"durationNanos"`    // of the window that counts
	Drain       time.Duration `json:"drainNanos"`       // to wait afterwards for what was submitted
	CommitLimit time.Duration `json:"commitLimitNanos"` // after which a transaction counts as not committed
}

// Capacity is a load of submitters that do not wait for commits, or of evaluators, over one connection.
func Capacity(submitters, evaluators int, warmUp, duration time.Duration) Settings {
	return Settings{
		Submitters: submitters, Evaluators: evaluators, Connections: 1, Loop: loopOpen, Uncommitted: 1000,
		WarmUp: warmUp, Duration: duration, Drain: 30 * time.Second, CommitLimit: time.Minute,
	}
}

func (s *Settings) flags(set *flag.FlagSet) {
	set.IntVar(&s.Submitters, "submitters", 64, "concurrent submitters; 0 for none")
	set.IntVar(&s.Evaluators, "evaluators", 0, "concurrent evaluators; 0 for none")
	set.IntVar(&s.Connections, "connections", 1, "connections that the submitters and evaluators share")
	set.StringVar(&s.Loop, "loop", loopOpen, "open: submitters do not wait for commits (capacity); closed: they do (one transaction each)")
	set.IntVar(&s.Uncommitted, "uncommitted", 1000, "most uncommitted transactions of an open loop")
	set.Float64Var(&s.Rate, "rate", 0, "transactions per second of an open loop; 0: as many as it can")
	set.IntVar(&s.Payload, "payload", 0, "bytes of filling in each asset")
	set.DurationVar(&s.WarmUp, "warm-up", 5*time.Second, "time before measuring starts")
	set.DurationVar(&s.Duration, "duration", 20*time.Second, "time to measure")
	set.DurationVar(&s.Drain, "drain", 30*time.Second, "time to wait at the end for the commit of what was submitted")
	set.DurationVar(&s.CommitLimit, "commit-limit", time.Minute, "time after which a submitted transaction counts as not committed")
}

func (s *Settings) validate() error {
	switch {
	case s.Submitters < 0 || s.Evaluators < 0 || s.Submitters+s.Evaluators == 0:
		return errors.New("nothing to do: want a positive number of submitters or evaluators")
	case s.Connections < 1:
		return errors.New("want at least one connection")
	case s.Loop != loopOpen && s.Loop != loopClosed:
		return fmt.Errorf("loop is %q: want open or closed", s.Loop)
	case s.Uncommitted < 1:
		return errors.New("an open loop needs at least one uncommitted transaction")
	case s.Rate < 0 || s.Rate > 0 && s.Loop == loopClosed:
		return errors.New("a rate is a positive number, and for an open loop")
	case s.Payload < 0 || s.Payload > maxPayload:
		return fmt.Errorf("payload of %d bytes: want 0 to %d", s.Payload, maxPayload)
	case s.WarmUp < 0 || s.Duration <= 0 || s.Drain <= 0 || s.CommitLimit <= 0:
		return errors.New("durations must be positive")
	}
	return nil
}

// maxPayload is what the asset chaincode takes in one field.
const maxPayload = 64 << 10
