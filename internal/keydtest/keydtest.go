// SPDX-License-Identifier: Apache-2.0

// Package keydtest has what tests of keys in hardware need: simulated devices (an SDF library and a PKCS #11 module, built from C over
// libcrypto, with faults that a test switches on), and gmkeyd as a process. [Library] builds a device and [NewDaemon] prepares a [Daemon].
package keydtest

import (
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/sys/unix"
)

//go:embed device
var sources embed.FS

// Kinds of simulated devices.
const (
	SDF                 = "sdf"                   // SDF_InternalDecrypt_ECC takes the algorithm
	SDFWithoutAlgorithm = "sdf-without-algorithm" // it does not
	SDFWithoutDecrypt   = "sdf-without-decrypt"   // there is none
	SDFOld              = "sdf-old"               // ECCref_MAX_LEN is 32, and SGD_SM2_3 0x00020400
	PKCS11              = "pkcs11"
)

// ErrMissing says that this machine cannot build simulated devices.
var ErrMissing = errors.New("gcc and libssl-dev are needed to build a simulated device")

// BuildDevice builds a simulated device in dir and returns the file.
func BuildDevice(dir, kind string) (library string, err error) {
	for _, name := range []string{"sim.h", "sdf.c", "pkcs11.c"} {
		text, err := fs.ReadFile(sources, "device/"+name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		return "", ErrMissing
	}
	probe := exec.Command("gcc", "-fsyntax-only", "-x", "c", "-")
	probe.Stdin = strings.NewReader("#include <openssl/ec.h>\n")
	if probe.Run() != nil {
		return "", ErrMissing
	}
	source := "sdf.c"
	args := []string{"-O2", "-shared", "-fPIC", "-o", filepath.Join(dir, "lib"+kind+".so")}
	switch kind {
	case SDF:
	case SDFWithoutAlgorithm:
		args = append(args, "-DDECRYPT_WITHOUT_ALGORITHM")
	case SDFWithoutDecrypt:
		args = append(args, "-DWITHOUT_DECRYPT")
	case SDFOld:
		args = append(args, "-DOLD")
	case PKCS11:
		source = "pkcs11.c"
	default:
		return "", fmt.Errorf("no simulated device %q", kind)
	}
	args = append(args, filepath.Join(dir, source), "-lcrypto", "-lpthread")
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc: %w: %s", err, out)
	}
	return filepath.Join(dir, "lib"+kind+".so"), nil
}

// BuildDaemon builds gmkeyd in dir as it is shipped and returns the file.
func BuildDaemon(dir string) (string, error) {
	file := filepath.Join(dir, "gmkeyd")
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, "github.com/hyperledger/fabric/cmd/gmkeyd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return file, nil
}

// Key is a key of a simulated device.
type Key struct {
	Index uint32 // sdf
	Usage string // sdf: sign or encrypt
	PIN   string // sdf, empty for none

	Label string // pkcs11
	ID    []byte // pkcs11

	Private *sm2.PrivateKey
}

// Folder holds what a simulated device knows. The daemon's environment names it as SIMULATED_DEVICE.
type Folder struct {
	Path   string
	shared []byte
}

// NewFolder makes a folder for a device with these keys. PIN is a token's.
func NewFolder(path, pin string, keys []Key) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	f := &Folder{Path: path}
	if err := f.SetKeys(pin, keys); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(path, "faults"), make([]byte, 4096), 0o600); err != nil {
		return nil, err
	}
	return OpenFolder(path)
}

// OpenFolder opens the folder of a device that may be in use.
func OpenFolder(path string) (*Folder, error) {
	file, err := os.OpenFile(filepath.Join(path, "faults"), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f := &Folder{Path: path}
	f.shared, err = unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return f, err
}

// SetKeys writes the keys; a process that has loaded the device does not notice.
func (f *Folder) SetKeys(pin string, keys []Key) error {
	var b strings.Builder
	if pin != "" {
		fmt.Fprintf(&b, "pin %s\n", pin)
	}
	for _, k := range keys {
		scalar := hex.EncodeToString(k.Private.D.FillBytes(make([]byte, 32)))
		if k.Label != "" {
			fmt.Fprintf(&b, "%s %x %s\n", k.Label, k.ID, scalar)
			continue
		}
		keyPIN := k.PIN
		if keyPIN == "" {
			keyPIN = "-"
		}
		fmt.Fprintf(&b, "%d %s %s %s\n", k.Index, k.Usage, scalar, keyPIN)
	}
	return os.WriteFile(filepath.Join(f.Path, "keys"), []byte(b.String()), 0o600)
}

// Close gives the mapping back.
func (f *Folder) Close() error { return unix.Munmap(f.shared) }

// Fault is a word that a simulated device reads or writes; device/sim.h says what each does.
type Fault int

// Faults, in the order of device/sim.h.
const (
	Gone Fault = iota
	DelayMicroseconds
	SessionLimit
	WrongKey
	Crash
	Hang
	Removed
	VendorError
	FixedRandom
	LostRights
	WrongPlain
	PINFailures
	Signatures
	InFlight
	MostInFlight
	Decryptions
	PINState
	SessionsLost
	Replaced
	NoRandom
	PINCode
	OwnCodes
	NoRights
	Bits
	Left
	Hashes
	LostCall
	NotFor
	Twin
	Frozen
	TextCode
	LabelCode
	MoreKeys
)

func (f *Folder) word(n Fault) *uint32 { return (*uint32)(unsafe.Pointer(&f.shared[4*int(n)])) }

// Set sets a fault.
func (f *Folder) Set(n Fault, value uint32) { atomic.StoreUint32(f.word(n), value) }

// Get reads a word.
func (f *Folder) Get(n Fault) uint32 { return atomic.LoadUint32(f.word(n)) }
