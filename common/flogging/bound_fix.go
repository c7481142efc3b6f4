// SPDX-License-Identifier: Apache-2.0

package flogging

import (
	"slices"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/codes"

	"github.com/hyperledger/fabric/common/loglimit"
)

// callsLogger writes a line when a call ends.
const callsLogger = "comm.grpc.server"

// gatewayLogger writes, at level info, a line for each transaction that it passes on, whoever sends it.
const gatewayLogger = "gateway"

// strangersLoggers warn of what a client has sent before anybody knows who it is.
var strangersLoggers = map[string]bool{
	"aclmgmt": true, "cauthdsl": true, "common.deliver": true, "discovery": true, "endorser": true, gatewayLogger: true, "gossip.comm": true,
	"msp": true, "msp.identity": true, "nodeCmd": true, "orderer.common.broadcast": true, "orderer.common.cluster": true,
	"orderer.common.msgprocessor": true, "peer.gossip.mcs": true, "policies": true, "policy": true, "protoutils": true,
}

// strangersLimits are by the place in the code that writes the line: uintptr, *loglimit.Limit.
var strangersLimits sync.Map

// Write writes a line, unless it is one of many that strangers cause: calls that fail or are refused, above all those that a client resets,
// and what is refused. The next line that is written says how many were left out. Nothing in a message can look like the start of a line.
//
//fork:wrap fix: a client that nobody knows cannot fill the log with calls that it resets, or with what is refused, and cannot forge lines
func (c *Core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if strangersCause(e, fields) {
		limit, _ := strangersLimits.LoadOrStore(e.Caller.PC, new(loglimit.Limit))
		ok, note := limit.(*loglimit.Limit).Allow(e.Time)
		if !ok {
			return nil
		}
		e.Message, fields = loglimit.Shorten(e.Message)+note, shortenedFields(fields)
	}
	if c.Selector.Encoding() == CONSOLE { // the other encodings, and that of fields, quote
		e.Message = loglimit.Quote(e.Message)
	}
	return c.upstreamWrite(e, fields)
}

func strangersCause(e zapcore.Entry, fields []zapcore.Field) bool {
	switch {
	case e.LoggerName == callsLogger:
		for _, field := range fields {
			// A refusal in an answer has the code OK, and an error that package grpclogging makes of it.
			if code, ok := field.Interface.(codes.Code); ok && code != codes.OK || field.Type == zapcore.ErrorType {
				return true
			}
		}
		return false
	case e.LoggerName == gatewayLogger && e.Level == zapcore.InfoLevel:
		return true
	case e.Level != zapcore.WarnLevel && e.Level != zapcore.ErrorLevel:
		return false
	}
	return strangersLoggers[e.LoggerName]
}

// shortenedFields returns fields of which none has a long text.
func shortenedFields(fields []zapcore.Field) []zapcore.Field {
	short := slices.Clone(fields)
	for i, field := range short {
		switch value := field.Interface.(type) {
		case error:
			if text := textOf(value); len(text) > loglimit.MaxText {
				short[i] = zap.String(field.Key, loglimit.Shorten(text))
			}
		default:
			short[i].String = loglimit.Shorten(field.String)
		}
	}
	return short
}

// textOf is the text of an error, and none for a nil pointer, which zap takes too.
func textOf(err error) (text string) {
	defer func() { _ = recover() }()
	return err.Error()
}
