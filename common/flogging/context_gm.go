// SPDX-License-Identifier: Apache-2.0

//fork:file perf: fields of a logger are encoded when a line is logged

package flogging

import (
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// NewZapLogger creates a logger around a core.
//
//fork:wrap perf: upstream encodes the fields of With in three encodings at once, for lines that mostly are not logged
func NewZapLogger(core zapcore.Core, options ...zap.Option) *zap.Logger {
	return upstreamNewZapLogger(contextCore{Core: core}, options...)
}

// contextCore hands the fields of With to its core when a line is logged, not before.
type contextCore struct {
	zapcore.Core
	context []zapcore.Field
}

// With keeps fields whose values cannot change; others the core encodes now.
func (c contextCore) With(fields []zapcore.Field) zapcore.Core {
	context := slices.Concat(c.context, fields)
	if slices.ContainsFunc(fields, mayChange) {
		return contextCore{Core: c.Core.With(context)}
	}
	return contextCore{c.Core, context}
}

// mayChange reports whether a field refers to its value.
func mayChange(field zapcore.Field) bool {
	switch field.Type {
	case zapcore.StringType, zapcore.BoolType, zapcore.DurationType, zapcore.TimeType, zapcore.SkipType,
		zapcore.Int64Type, zapcore.Int32Type, zapcore.Int16Type, zapcore.Int8Type,
		zapcore.Uint64Type, zapcore.Uint32Type, zapcore.Uint16Type, zapcore.Uint8Type:
		return false
	}
	return true
}

// Check adds this core to ce if its core logs the entry.
func (c contextCore) Check(entry zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Core.Check(entry, nil) == nil {
		return ce
	}
	return ce.AddCore(entry, c)
}

// Write logs the entry by a core that holds the fields of With, so that observers get its own fields alone.
func (c contextCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	if len(c.context) == 0 {
		return c.Core.Write(entry, fields)
	}
	context := c.context
	if strangersCause(entry, fields) {
		context = shortenedFields(context)
	}
	return c.Core.With(context).Write(entry, fields)
}
