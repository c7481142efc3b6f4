// SPDX-License-Identifier: Apache-2.0

//go:build editor

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// gopls drives the language server over LSP 3.17 on its standard streams.
type gopls struct {
	t        *testing.T
	in       io.Writer
	next     int
	replies  map[int]chan json.RawMessage
	findings chan diagnostics
}

type position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

type location struct {
	URI   string                   `json:"uri"`
	Range struct{ Start position } `json:"range"`
}

type diagnostics struct {
	URI         string `json:"uri"`
	Diagnostics []struct {
		Message string `json:"message"`
	} `json:"diagnostics"`
}

type message struct {
	Version string          `json:"jsonrpc"`
	ID      *int            `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// startGopls starts the pinned gopls (make lint-tools) in folder, as an editor does that opens it.
func startGopls(t *testing.T, folder string) *gopls {
	t.Helper()
	program, err := filepath.Abs("../../build/tools/gopls")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "serve")
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v\nbuild it with 'make lint-tools'", err)
	}
	g := &gopls{t: t, in: in, replies: map[int]chan json.RawMessage{}, findings: make(chan diagnostics, 1024)}
	for i := 1; i <= 16; i++ {
		g.replies[i] = make(chan json.RawMessage, 1)
	}
	go g.read(bufio.NewReader(out))
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	g.call("initialize", map[string]any{
		"processId": os.Getpid(), "rootUri": "file://" + folder,
		"workspaceFolders": []any{map[string]string{"uri": "file://" + folder, "name": "fabric"}},
		"capabilities":     map[string]any{"workspace": map[string]any{"configuration": false}},
	})
	g.send(message{Method: "initialized", Params: map[string]any{}})
	return g
}

func (g *gopls) send(m message) {
	m.Version = "2.0"
	data, err := json.Marshal(m)
	if err == nil {
		_, err = fmt.Fprintf(g.in, "Content-Length: %d\r\n\r\n%s", len(data), data)
	}
	if err != nil {
		g.t.Error(err)
	}
}

// call sends a request and returns its result.
func (g *gopls) call(method string, params any) json.RawMessage {
	g.t.Helper()
	g.next++
	id := g.next
	g.send(message{ID: &id, Method: method, Params: params})
	select {
	case result := <-g.replies[id]:
		return result
	case <-time.After(5 * time.Minute):
		g.t.Fatalf("%s: no answer", method)
		return nil
	}
}

// read takes apart what gopls sends, until its end.
func (g *gopls) read(r *bufio.Reader) {
	for {
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			return
		}
		size, err := strconv.Atoi(header.Get("Content-Length"))
		if err != nil {
			return
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return
		}
		var m struct {
			message
			Params json.RawMessage `json:"params"`
		}
		if json.Unmarshal(data, &m) != nil {
			return
		}
		switch {
		case m.Method == "textDocument/publishDiagnostics":
			var d diagnostics
			if json.Unmarshal(m.Params, &d) == nil {
				g.findings <- d
			}
		case m.Method != "" && m.ID != nil: // a request of the server's: nothing that it asks for matters here
			g.send(message{ID: m.ID, Result: json.RawMessage("null")})
		case m.ID != nil && m.Error != nil:
			g.replies[*m.ID] <- m.Error
		case m.ID != nil:
			g.replies[*m.ID] <- m.Result
		}
	}
}

// open tells the server that the editor shows a file with this text.
func (g *gopls) open(path, text string) {
	g.send(message{Method: "textDocument/didOpen", Params: map[string]any{"textDocument": map[string]any{
		"uri": "file://" + path, "languageId": "go", "version": 1, "text": text,
	}}})
}

// locations asks for the definition of, or the references to, what is at a position.
func (g *gopls) locations(method, path string, at position) []location {
	g.t.Helper()
	result := g.call(method, map[string]any{
		"textDocument": map[string]string{"uri": "file://" + path}, "position": at,
		"context": map[string]bool{"includeDeclaration": false},
	})
	var list []location
	if err := json.Unmarshal(result, &list); err != nil {
		g.t.Fatalf("%s: %s", method, result)
	}
	return list
}

// find returns the position of the first occurrence of needle after marker.
func find(t *testing.T, text, marker, needle string) position {
	t.Helper()
	start := strings.Index(text, marker)
	if start < 0 {
		t.Fatalf("%q is not there", marker)
	}
	offset := start + strings.Index(text[start:], needle)
	before := text[:offset]
	return position{strings.Count(before, "\n"), offset - strings.LastIndex(before, "\n") - 1}
}

// TestEditor opens build/fabric with gopls: from a touch point of ours its definition is in upstream's file, upstream's callers are
// found, and an error is reported while it is typed.
func TestEditor(t *testing.T) {
	tree, err := filepath.Abs("../../build/fabric")
	if err != nil {
		t.Fatal(err)
	}
	touchPoint, upstreams := filepath.Join(tree, "msp", "setup_gm.go"), filepath.Join(tree, "msp", "mspimplsetup.go")
	data, err := os.ReadFile(touchPoint)
	if err != nil {
		t.Fatalf("%v\nrun 'make fork'", err)
	}
	text := string(data)
	g := startGopls(t, tree)
	g.open(touchPoint, text)

	// The wrapped method of upstream's is called once, and declared in upstream's file.
	found := g.locations("textDocument/definition", touchPoint, find(t, text, "msp.upstreamSetupCAs", "upstreamSetupCAs"))
	if len(found) != 1 || found[0].URI != "file://"+upstreams {
		t.Errorf("the definition of upstreamSetupCAs: %+v, want one in %s", found, upstreams)
	}

	// Ours has upstream's name, so upstream's callers are ours to see.
	found = g.locations("textDocument/references", touchPoint, find(t, text, ") setupCAs(", "setupCAs"))
	inUpstream := 0
	for _, l := range found {
		if l.URI == "file://"+upstreams {
			inUpstream++
		}
	}
	if inUpstream == 0 {
		t.Errorf("references to setupCAs: %+v, want one in %s", found, upstreams)
	}

	// An error is reported before the file is saved; the file on disk stays as it is.
	g.send(message{Method: "textDocument/didChange", Params: map[string]any{
		"textDocument":   map[string]any{"uri": "file://" + touchPoint, "version": 2},
		"contentChanges": []any{map[string]string{"text": strings.Replace(text, "msp.upstreamSetupCAs", "msp.upstreamSetupCAsX", 1)}},
	}})
	for deadline := time.After(3 * time.Minute); ; {
		select {
		case d := <-g.findings:
			if d.URI != "file://"+touchPoint || len(d.Diagnostics) == 0 {
				continue
			}
			if !strings.Contains(d.Diagnostics[0].Message, "upstreamSetupCAsX") {
				t.Errorf("%+v: before the error that was planted", d)
			}
			return
		case <-deadline:
			t.Fatal("the planted error was not reported")
		}
	}
}
