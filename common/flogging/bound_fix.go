// SPDX-License-Identifier: Apache-2.0

package flogging

import (
	"sync"

	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/codes"

	"github.com/hyperledger/fabric/common/loglimit"
)

// callsLogger writes a line when a call ends.
const callsLogger = "comm.grpc.server"

// strangersLoggers warn of what a client has sent before anybody knows who it is.
var strangersLoggers = map[string]bool{
	"cauthdsl": true, "common.deliver": true, "discovery": true, "endorser": true, "gateway": true, "gossip.comm": true, "msp": true,
	"msp.identity": true, "orderer.common.broadcast": true, "orderer.common.cluster": true, "policies": true, "protoutils": true,
}

// strangersLimits are by the place in the code that writes the line: uintptr, *loglimit.Limit.
var strangersLimits sync.Map

// Write writes a line, unless it is one of many that strangers cause: calls that fail, above all those that a client resets, and what is
// refused. The next line that is written says how many were left out.
//
//fork:wrap fix: a client that nobody knows cannot fill the log with calls that it resets, or with what is refused
func (c *Core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if strangersCause(e, fields) {
		limit, _ := strangersLimits.LoadOrStore(e.Caller.PC, new(loglimit.Limit))
		ok, note := limit.(*loglimit.Limit).Allow(e.Time)
		if !ok {
			return nil
		}
		e.Message += note
	}
	return c.upstreamWrite(e, fields)
}

func strangersCause(e zapcore.Entry, fields []zapcore.Field) bool {
	switch {
	case e.LoggerName == callsLogger:
		for _, field := range fields {
			if code, ok := field.Interface.(codes.Code); ok {
				return code != codes.OK
			}
		}
		return false
	case e.Level != zapcore.WarnLevel && e.Level != zapcore.ErrorLevel:
		return false
	}
	return strangersLoggers[e.LoggerName]
}
