// SPDX-License-Identifier: Apache-2.0

package cryptoki

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
)

// Positions of the functions in CK_FUNCTION_LIST (PKCS #11 v2.40, section 5, in the order of pkcs11f.h), without the version.
const (
	fnInitialize        = 0
	fnFinalize          = 1
	fnGetSlotList       = 4
	fnGetTokenInfo      = 6
	fnOpenSession       = 12
	fnCloseSession      = 13
	fnLogin             = 18
	fnGetAttributeValue = 24
	fnFindObjectsInit   = 26
	fnFindObjects       = 27
	fnFindObjectsFinal  = 28
	fnDecryptInit       = 33
	fnDecrypt           = 34
	fnSignInit          = 42
	fnSign              = 43
	fnSignUpdate        = 44
	fnSignFinal         = 45
	fnGenerateRandom    = 64
	functions           = 65
)

// library is a loaded module. Several tokens may be used through it.
type library struct {
	path  string
	table *[functions + 1]uintptr // CK_FUNCTION_LIST: the version fills one place

	mu    sync.Mutex
	users int // protected by mu: modules between Open and Close
}

var (
	loadMu sync.Mutex
	loaded = map[string]*library{} // protected by loadMu
)

func load(path string) (*library, error) {
	loadMu.Lock()
	defer loadMu.Unlock()
	if lib := loaded[path]; lib != nil {
		return lib, nil
	}
	so, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("loading the library %s: %w", path, err)
	}
	get, err := purego.Dlsym(so, "C_GetFunctionList")
	if err != nil {
		return nil, fmt.Errorf("the library %s has no function C_GetFunctionList: it is not a PKCS #11 module", path)
	}
	lib := &library{path: path}
	code, _, _ := purego.SyscallN(get, uintptr(unsafe.Pointer(&lib.table)))
	if err := check("C_GetFunctionList", uint64(code)); err != nil {
		return nil, err
	}
	if lib.table == nil {
		return nil, fmt.Errorf("the library %s returned no list of functions", path)
	}
	loaded[path] = lib
	return lib, nil
}

// call calls the function at a place of the list. All return CK_RV, an unsigned long.
//
//go:uintptrescapes
func (lib *library) call(name string, place int, args ...uintptr) error {
	fn := lib.table[place+1]
	if fn == 0 {
		return &device.Error{Call: name, Code: 0x54, Name: "CKR_FUNCTION_NOT_SUPPORTED", Class: device.Refused}
	}
	code, _, _ := purego.SyscallN(fn, args...)
	return check(name, uint64(code))
}

// initializeArgs is CK_C_INITIALIZE_ARGS: no functions for locks, but the flag CKF_OS_LOCKING_OK.
type initializeArgs struct {
	create, destroy, lock, unlock uintptr
	flags                         uint64
	reserved                      uintptr
}

// begin initializes the library for one more user.
func (lib *library) begin(step func()) error {
	lib.mu.Lock()
	defer lib.mu.Unlock()
	if lib.users == 0 {
		step()
		args := &initializeArgs{flags: 2}
		err := lib.call("C_Initialize", fnInitialize, uintptr(unsafe.Pointer(args)))
		if err != nil && codeOf(err) != codeAlreadyInitialized {
			return err
		}
	}
	lib.users++
	return nil
}

// end finalizes the library when its last user goes: some find a token that came back only after that.
func (lib *library) end() {
	lib.mu.Lock()
	defer lib.mu.Unlock()
	if lib.users--; lib.users == 0 {
		_ = lib.call("C_Finalize", fnFinalize, 0)
	}
}

func codeOf(err error) uint64 {
	var e *device.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// token is what C_GetTokenInfo says.
type token struct {
	slot          uint64
	label, serial string
	flags         uint64
}

// Flags of a token.
const (
	flagLoginRequired = 0x00000004
	flagPinFinalTry   = 0x00020000
	flagPinLocked     = 0x00040000
)

// tokens lists the tokens that are present.
func (lib *library) tokens(step func()) ([]token, error) {
	var slots [64]uint64
	var count uint64
	// Libraries look for tokens that were put in or taken out only when they are asked for the number of slots (section 5.5).
	step()
	if err := lib.call("C_GetSlotList", fnGetSlotList, 1, 0, uintptr(unsafe.Pointer(&count))); err != nil {
		return nil, err
	}
	count = uint64(len(slots))
	step()
	if err := lib.call("C_GetSlotList", fnGetSlotList, 1, uintptr(unsafe.Pointer(&slots)), uintptr(unsafe.Pointer(&count))); err != nil {
		return nil, err
	}
	var all []token
	for _, slot := range slots[:min(count, 64)] {
		var info [512]byte // CK_TOKEN_INFO has 208 bytes
		step()
		if err := lib.call("C_GetTokenInfo", fnGetTokenInfo, uintptr(slot), uintptr(unsafe.Pointer(&info))); err != nil {
			continue // gone since the list was made, or not set up
		}
		text := func(from, to int) string { return strings.TrimRight(string(info[from:to]), " \x00") }
		all = append(all, token{slot: slot, label: text(0, 32), serial: text(80, 96), flags: *(*uint64)(unsafe.Pointer(&info[96]))})
	}
	return all, nil
}

// attribute is CK_ATTRIBUTE.
type attribute struct {
	kind   uint64
	value  unsafe.Pointer
	length uint64
}

func ulong(kind, value uint64) attribute {
	return attribute{kind, unsafe.Pointer(&value), 8}
}

func octets(kind uint64, value []byte) attribute {
	if len(value) == 0 {
		return attribute{kind: kind}
	}
	return attribute{kind, unsafe.Pointer(&value[0]), uint64(len(value))}
}

// mechanism is CK_MECHANISM without a parameter.
type mechanism struct {
	kind      uint64
	parameter uintptr
	length    uint64
}

// maxObjects is how many objects of one kind a token may have. It bounds the time of a start, and a library that never comes to an end.
const maxObjects = 4096

// find returns the objects that have the attributes.
func (s *session) find(template ...attribute) ([]uint64, error) {
	template = slices.Clone(template) // on the heap
	if err := s.call("C_FindObjectsInit", fnFindObjectsInit, uintptr(s.handle), uintptr(unsafe.Pointer(&template[0])), uintptr(len(template))); err != nil {
		return nil, err
	}
	var all []uint64
	var err error
	for err == nil {
		var objects [512]uint64
		var n uint64
		if err = s.call("C_FindObjects", fnFindObjects, uintptr(s.handle), uintptr(unsafe.Pointer(&objects)), uintptr(len(objects)),
			uintptr(unsafe.Pointer(&n))); err != nil || n == 0 {
			break
		}
		if all = append(all, objects[:min(n, uint64(len(objects)))]...); len(all) > maxObjects {
			err = fmt.Errorf("the token has more than %d private keys, or public keys of one id: take out those that nobody uses, or spread them over several tokens", maxObjects)
		}
	}
	if endErr := s.call("C_FindObjectsFinal", fnFindObjectsFinal, uintptr(s.handle)); err == nil {
		err = endErr
	}
	return all, err
}

// attribute reads one attribute of an object; nil if the object has none, or does not show it.
func (s *session) attribute(object, kind uint64) ([]byte, error) {
	buffer := make([]byte, 1024)
	a := []attribute{{kind, unsafe.Pointer(&buffer[0]), uint64(len(buffer))}}
	err := s.call("C_GetAttributeValue", fnGetAttributeValue, uintptr(s.handle), uintptr(object), uintptr(unsafe.Pointer(&a[0])), 1)
	if code := codeOf(err); code == codeAttributeInvalid || code == codeAttributeSensitive {
		return nil, nil
	}
	if err != nil || a[0].length > uint64(len(buffer)) {
		return nil, err
	}
	return buffer[:a[0].length], nil
}
