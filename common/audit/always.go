// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"github.com/hyperledger/fabric/common/flogging"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// alwaysLogger returns a logger whose lines are written whatever the logging specification says, in the format and to the place of all
// others.
func alwaysLogger(name string) *flogging.FabricLogger {
	return flogging.NewFabricLogger(flogging.Global.ZapLogger(name).WithOptions(
		zap.WrapCore(func(core zapcore.Core) zapcore.Core { return alwaysCore{core} })))
}

// alwaysCore hands every entry to its core, whose own check it passes by.
type alwaysCore struct{ zapcore.Core }

// Enabled is true.
func (alwaysCore) Enabled(zapcore.Level) bool { return true }

// With keeps the property.
func (a alwaysCore) With(fields []zapcore.Field) zapcore.Core { return alwaysCore{a.Core.With(fields)} }

// Check adds this core.
func (a alwaysCore) Check(entry zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(entry, a)
}
