// SPDX-License-Identifier: Apache-2.0

// Package couchtest answers as CouchDB 3.4 does, for tests of a peer's state on machines that have none. It keeps documents in memory, knows
// the requests that a peer makes to read and write state, and refuses what CouchDB refuses: names of databases and of documents, fields that
// begin with an underscore, a range that ends before it begins, and a long address. It has no queries, and of indexes the documents only.
package couchtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxAddress is the length of an address that CouchDB accepts, by its example for max_uri_length. Its parser accepts little more.
const maxAddress = 8000

var databaseName = regexp.MustCompile(`^[a-z][a-z0-9_$()+/-]*$`)

// fields are those of a document or of a request.
type fields = map[string]json.RawMessage

// attachment is the form in which attachments travel in a document.
type attachment struct {
	ContentType string `json:"content_type"`
	Data        []byte `json:"data,omitempty"`
	Follows     bool   `json:"follows,omitempty"`
	Length      int    `json:"length,omitempty"`
}

type document struct {
	revision    int
	deleted     bool
	body        fields // without the fields that CouchDB makes
	attachments map[string]attachment
}

func (d *document) rev() string { return fmt.Sprintf("%d-cafe", d.revision) }

// Server is a CouchDB.
type Server struct {
	*httptest.Server
	Old bool // it reads no range in the body of a request, as old versions

	mutex     sync.Mutex // protects what follows
	databases map[string]map[string]*document
	requests  int
}

// Start starts a CouchDB without databases. The caller closes it.
func Start() *Server {
	s := &Server{databases: map[string]map[string]*document{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

// Address returns host and port.
func (s *Server) Address() string { return s.Listener.Addr().String() }

// Databases returns the sorted names of all databases but those of CouchDB itself.
func (s *Server) Databases() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.databases)), func(name string) bool { return strings.HasPrefix(name, "_") })
}

// Requests returns the number of requests since the start.
func (s *Server) Requests() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.requests
}

// failure is an answer that is an error. The handlers panic with it.
type failure struct {
	status        int
	error, reason string
}

var (
	notFound  = failure{http.StatusNotFound, "not_found", "missing"}
	conflict  = failure{http.StatusConflict, "conflict", "Document update conflict."}
	emptyName = failure{http.StatusBadRequest, "illegal_docid", "Document id must not be empty"}
)

func check(err error) {
	if err != nil {
		panic(failure{http.StatusBadRequest, "bad_request", err.Error()})
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer func() {
		switch f := recover().(type) {
		case nil:
		case failure:
			answer(w, f.status, map[string]string{"error": f.error, "reason": f.reason})
		default:
			panic(f)
		}
	}()
	s.requests++
	if len(r.RequestURI) > maxAddress {
		panic(failure{http.StatusRequestURITooLong, "request_uri_too_long", "too long"})
	}
	escaped, _, _ := strings.Cut(r.RequestURI, "?")
	path := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i := range path {
		var err error
		path[i], err = url.PathUnescape(path[i])
		check(err)
	}
	switch {
	case path[0] == "":
		answer(w, http.StatusOK, map[string]any{"couchdb": "Welcome", "version": "3.4.2", "vendor": map[string]string{"name": "couchtest"}})
	case path[0] == "_all_dbs":
		answer(w, http.StatusOK, slices.Sorted(maps.Keys(s.databases)))
	case len(path) == 1:
		s.database(w, r, path[0])
	default:
		db, ok := s.databases[path[0]]
		if !ok {
			panic(failure{http.StatusNotFound, "not_found", "Database does not exist."})
		}
		switch name := strings.Join(path[1:], "/"); name {
		case "_security":
			answer(w, http.StatusOK, map[string]bool{"ok": true})
		case "_bulk_docs":
			bulk(w, r, db)
		case "_all_docs":
			allDocs(w, r, db, s.Old)
		case "_index":
			index(w, r, db)
		default:
			one(w, r, db, name)
		}
	}
}

// database answers requests for a database as a whole.
func (s *Server) database(w http.ResponseWriter, r *http.Request, name string) {
	if !databaseName.MatchString(name) && name != "_users" && name != "_replicator" && name != "_global_changes" {
		panic(failure{http.StatusBadRequest, "illegal_database_name", name})
	}
	_, exists := s.databases[name]
	switch {
	case r.Method == http.MethodPut && exists:
		panic(failure{http.StatusPreconditionFailed, "file_exists", "The database could not be created, the file already exists."})
	case r.Method == http.MethodPut:
		s.databases[name] = map[string]*document{}
		answer(w, http.StatusCreated, map[string]bool{"ok": true})
	case !exists:
		panic(failure{http.StatusNotFound, "not_found", "Database does not exist."})
	case r.Method == http.MethodDelete:
		delete(s.databases, name)
		answer(w, http.StatusOK, map[string]bool{"ok": true})
	default:
		answer(w, http.StatusOK, map[string]any{"db_name": name, "doc_count": len(s.databases[name])})
	}
}

// index stores the document of an index, and nothing else.
func index(w http.ResponseWriter, r *http.Request, db map[string]*document) {
	var request struct{ Ddoc, Name string }
	check(json.NewDecoder(r.Body).Decode(&request))
	id := "_design/" + request.Ddoc
	db[id] = &document{revision: 1, body: fields{"language": encode("query")}}
	answer(w, http.StatusOK, map[string]string{"result": "created", "id": id, "name": request.Name})
}

// parse takes the fields that CouchDB knows out of a document.
func parse(body fields) (id, rev string, d *document) {
	d = &document{body: fields{}}
	for name, value := range body {
		switch name {
		case "_id":
			check(json.Unmarshal(value, &id))
		case "_rev":
			check(json.Unmarshal(value, &rev))
		case "_deleted":
			check(json.Unmarshal(value, &d.deleted))
		case "_attachments":
			check(json.Unmarshal(value, &d.attachments))
		default:
			if strings.HasPrefix(name, "_") {
				panic(failure{http.StatusBadRequest, "doc_validation", "Bad special document member: " + name})
			}
			d.body[name] = value
		}
	}
	return id, rev, d
}

// store writes a document, or returns why not.
func store(db map[string]*document, id, rev string, d *document) *failure {
	old := db[id]
	switch {
	case old == nil && rev == "":
	case old != nil && old.deleted && rev == "" && !d.deleted: // it is created again
	case old != nil && rev == old.rev() && !old.deleted:
	default:
		return &conflict
	}
	if old != nil {
		d.revision = old.revision
	}
	d.revision++
	db[id] = d
	return nil
}

// checkName refuses what no document may be called.
func checkName(id string) {
	switch {
	case id == "":
		panic(emptyName)
	case strings.HasPrefix(id, "_") && !strings.HasPrefix(id, "_design/") && !strings.HasPrefix(id, "_local/"):
		panic(failure{http.StatusBadRequest, "illegal_docid", "Only reserved document ids may start with underscore."})
	case !utf8.ValidString(id):
		panic(failure{http.StatusBadRequest, "illegal_docid", "Document id must be valid UTF-8"})
	}
}

// bulk writes documents, all or none unless there are conflicts.
func bulk(w http.ResponseWriter, r *http.Request, db map[string]*document) {
	var request struct{ Docs []fields }
	check(json.NewDecoder(r.Body).Decode(&request))
	if request.Docs == nil {
		panic(failure{http.StatusBadRequest, "bad_request", "`docs` parameter must be an array."})
	}
	type result struct {
		ID     string `json:"id"`
		OK     bool   `json:"ok,omitempty"`
		Rev    string `json:"rev,omitempty"`
		Error  string `json:"error,omitempty"`
		Reason string `json:"reason,omitempty"`
	}
	results := []result{}
	var stores []func()
	for _, body := range request.Docs {
		id, rev, d := parse(body)
		checkName(id)
		stores = append(stores, func() {
			if f := store(db, id, rev, d); f != nil {
				results = append(results, result{ID: id, Error: f.error, Reason: f.reason})
				return
			}
			results = append(results, result{ID: id, OK: true, Rev: d.rev()})
		})
	}
	for _, store := range stores {
		store()
	}
	answer(w, http.StatusCreated, results)
}

// whole returns a document as CouchDB shows it.
func whole(id string, d *document, withData bool) fields {
	body := maps.Clone(d.body)
	body["_id"] = encode(id)
	body["_rev"] = encode(d.rev())
	if len(d.attachments) > 0 {
		shown := map[string]attachment{}
		for name, a := range d.attachments {
			if !withData {
				a = attachment{ContentType: a.ContentType, Follows: true, Length: len(a.Data)}
			}
			shown[name] = a
		}
		body["_attachments"] = encode(shown)
	}
	return body
}

func encode(v any) json.RawMessage {
	encoded, err := json.Marshal(v)
	check(err)
	return encoded
}

// allDocs reads named documents, or a range of them.
func allDocs(w http.ResponseWriter, r *http.Request, db map[string]*document, old bool) {
	parameters := fields{}
	if r.Method == http.MethodPost {
		check(json.NewDecoder(r.Body).Decode(&parameters))
	}
	if old {
		maps.DeleteFunc(parameters, func(name string, _ json.RawMessage) bool { return name != "keys" })
	}
	for name, values := range r.URL.Query() {
		parameters[name] = json.RawMessage(values[0])
	}
	var start, end string
	limit, inclusive := len(db)+1, true
	for name, into := range map[string]any{"startkey": &start, "endkey": &end, "limit": &limit, "inclusive_end": &inclusive} {
		if value, ok := parameters[name]; ok {
			check(json.Unmarshal(value, into))
		}
	}
	type row struct {
		ID    string `json:"id,omitempty"`
		Key   string `json:"key"`
		Error string `json:"error,omitempty"`
		Doc   fields `json:"doc,omitempty"`
	}
	rows := []row{}
	if keys, ok := parameters["keys"]; ok {
		var ids []string
		check(json.Unmarshal(keys, &ids))
		for _, id := range ids {
			switch d := db[id]; {
			case d == nil:
				rows = append(rows, row{Key: id, Error: "not_found"})
			case d.deleted:
				rows = append(rows, row{ID: id, Key: id})
			default:
				rows = append(rows, row{ID: id, Key: id, Doc: whole(id, d, true)})
			}
		}
		answer(w, http.StatusOK, map[string]any{"total_rows": len(db), "rows": rows})
		return
	}
	if _, ok := parameters["endkey"]; ok && start > end {
		panic(failure{http.StatusBadRequest, "query_parse_error", "No rows can match your key range, reverse your start_key and end_key or set descending=true"})
	} else if !ok {
		end, inclusive = "\xff", false
	}
	ids := []string{}
	for id, d := range db {
		if !d.deleted && id >= start && (id < end || inclusive && id == end) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids[:min(limit, len(ids))] {
		rows = append(rows, row{ID: id, Key: id, Doc: whole(id, db[id], true)})
	}
	answer(w, http.StatusOK, map[string]any{"total_rows": len(db), "rows": rows})
}

// one answers requests for a document.
func one(w http.ResponseWriter, r *http.Request, db map[string]*document, id string) {
	checkName(id)
	d := db[id]
	switch r.Method {
	case http.MethodGet:
		if d == nil || d.deleted {
			panic(notFound)
		}
		show(w, id, d)
	case http.MethodPut, http.MethodDelete:
		if r.Method == http.MethodDelete && (d == nil || d.deleted) {
			panic(notFound)
		}
		_, rev, written := parse(received(r))
		if matched := r.Header.Get("If-Match"); matched != "" {
			rev = matched
		}
		written.deleted = r.Method == http.MethodDelete
		if f := store(db, id, rev, written); f != nil {
			panic(*f)
		}
		w.Header().Set("ETag", `"`+written.rev()+`"`)
		answer(w, http.StatusCreated, map[string]any{"ok": true, "id": id, "rev": written.rev()})
	default:
		panic(failure{http.StatusMethodNotAllowed, "method_not_allowed", r.Method})
	}
}

// show sends a document, and its attachments in parts of their own.
func show(w http.ResponseWriter, id string, d *document) {
	w.Header().Set("ETag", `"`+d.rev()+`"`)
	if len(d.attachments) == 0 {
		answer(w, http.StatusOK, whole(id, d, true))
		return
	}
	parts := multipart.NewWriter(w)
	w.Header().Set("Content-Type", `multipart/related; boundary="`+parts.Boundary()+`"`)
	part, _ := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json"}})
	json.NewEncoder(part).Encode(whole(id, d, false))
	for name, a := range d.attachments {
		part, _ := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":        {a.ContentType},
			"Content-Disposition": {mime.FormatMediaType("attachment", map[string]string{"filename": name})},
		})
		part.Write(a.Data)
	}
	parts.Close()
}

// received reads a document, and the attachments that follow it.
func received(r *http.Request) (body fields) {
	kind, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/related" {
		err := json.NewDecoder(r.Body).Decode(&body)
		if err != io.EOF { // a deletion has no body
			check(err)
		}
		return body
	}
	parts := multipart.NewReader(r.Body, parameters["boundary"])
	part, err := parts.NextPart()
	check(err)
	check(json.NewDecoder(part).Decode(&body))
	var attachments map[string]attachment
	check(json.Unmarshal(body["_attachments"], &attachments))
	for _, name := range slices.Sorted(maps.Keys(attachments)) {
		a := attachments[name]
		part, err := parts.NextPart()
		check(err)
		a.Data, err = io.ReadAll(part)
		check(err)
		a.Follows = false
		attachments[name] = a
	}
	body["_attachments"] = encode(attachments)
	return body
}
