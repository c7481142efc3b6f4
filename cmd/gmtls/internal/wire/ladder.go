// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// Step is one message of a handshake.
type Step struct {
	At         time.Duration `json:"at_ns"` // since the beginning of the handshake
	FromClient bool          `json:"from_client"`
	Name       string        `json:"message"`
	Size       int           `json:"bytes"` // with the header of the message
	Encrypted  bool          `json:"encrypted,omitempty"`
	Note       string        `json:"note,omitempty"`
	Payload    []byte        `json:"payload,omitempty"` // of application data, as far as it was asked for

	// Alert holds level and number of an alert that can be read.
	Alert []byte `json:"-"`
}

// setAlert fills the step with an alert in the clear.
func (s *Step) setAlert(body []byte) {
	s.Name = "Alert"
	if len(body) == 2 {
		s.Alert, s.Note = bytes.Clone(body), AlertNote(body[0], body[1])
	}
}

// Draw writes the steps as a ladder, client left and server right. broken, if
// not empty, says where it ended.
func Draw(w io.Writer, steps []Step, broken string) {
	const width = 34
	for _, s := range steps {
		label := s.Name
		if s.Encrypted {
			label = "{" + label + "}"
		}
		label = fmt.Sprintf(" %s %d B ", label, s.Size)
		dashes := strings.Repeat("-", max(0, width-len(label)))
		arrow := "<" + dashes + label + "-"
		if s.FromClient {
			arrow = "-" + label + dashes + ">"
		}
		fmt.Fprintf(w, "%s", strings.TrimRight(fmt.Sprintf("  %9s  %s  %s", Milliseconds(s.At), arrow, s.Note), " ")+"\n")
		for line := range strings.Lines(hex.Dump(s.Payload)) {
			fmt.Fprintf(w, "%13s%s", "", line)
		}
	}
	if broken != "" {
		fmt.Fprintf(w, "  %9s  %s\n", "", "X "+broken)
	}
}

// Milliseconds prints a duration the way the ladder does.
func Milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
}
