// SPDX-License-Identifier: Apache-2.0

// Gmkeyd holds the connection to cryptographic devices, by SDF (GM/T 0018) or PKCS #11, and lets programs on the same host use
// their keys through a Unix socket. The libraries of vendors are loaded into this process alone; nodes stay static.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/config"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/cryptoki"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/device"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/pins"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/sdf"
	"github.com/hyperledger/fabric/cmd/gmkeyd/internal/server"
	"github.com/hyperledger/fabric/common/crypto/keyd"
	"golang.org/x/sys/unix"
)

// Exit codes other than 0 and 1, as in sysexits.h; the unit file does not restart after the second.
const (
	exitHung   = 70
	exitConfig = 78
)

const usage = `gmkeyd lets nodes on this host use the keys of cryptographic devices (SDF of GM/T 0018, PKCS #11).

  gmkeyd serve --config FILE       serve until SIGTERM
  gmkeyd check --config FILE       connect, test every key, print the results and end; 1 if something is wrong
  gmkeyd status [--socket FILE]    print the state of a running daemon; 1 if it is not healthy
  gmkeyd metrics [--socket FILE]   print its metrics in Prometheus' text format

docs/hsm.md describes the configuration.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) != 0 {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("gmkeyd "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	file := flags.String("config", "/etc/gmkeyd/gmkeyd.yaml", "")
	socket := flags.String("socket", keyd.DefaultSocket, "")
	var do func() int
	switch command {
	case "serve":
		do = func() int { return serve(*file, stderr) }
	case "check":
		do = func() int { return check(*file, stdout, stderr) }
	case "status":
		do = func() int { return status(*socket, stdout, stderr) }
	case "metrics":
		do = func() int { return metrics(*socket, stdout, stderr) }
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp): // usage has been printed
		return 0
	case err != nil:
		return 2
	}
	if flags.NArg() != 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	return do()
}

// lookEvery is how long a key can have gone without being used, or the device without being asked, until that is noticed.
const lookEvery = 5 * time.Second

// devices connects to what the configuration names.
func devices(ctx context.Context, c *config.Config, log *slog.Logger) []*device.Device {
	var all []*device.Device
	refused := pins.At(c.Socket + ".refused")
	for _, d := range c.Devices {
		o := device.Options{Name: d.Name, Sessions: d.Sessions, Random: d.Random, CallLimit: c.CallLimit, LookEvery: lookEvery, Log: log, Hang: func(name, call string) {
			log.Error("a function of the device's library does not return: ending, to be started again", "device", name, "doing", call, "for", c.CallLimit)
			os.Exit(exitHung)
		}}
		var module device.Module
		if d.SDF != nil {
			o.Type = "sdf"
			m := sdf.Config{Name: d.Name, Library: d.SDF.Library, Decrypt: d.SDF.Decrypt, Algorithm: d.SDF.Algorithm, Pins: refused}
			for _, k := range d.SDF.Keys {
				m.Keys = append(m.Keys, sdf.KeyConfig{Index: k.Index, Pin: k.Pin.Reader()})
			}
			module = sdf.New(m)
		} else {
			o.Type, o.Token, o.Serial = "pkcs11", d.PKCS11.Token, d.PKCS11.Serial
			module = cryptoki.New(cryptoki.Config{
				Library: d.PKCS11.Library, Token: d.PKCS11.Token, Serial: d.PKCS11.Serial, Pin: d.PKCS11.Pin.Reader(), Pins: refused,
				SM2: d.PKCS11.SM2,
			})
		}
		all = append(all, device.New(ctx, module, o))
	}
	return all
}

func serve(file string, stderr io.Writer) int {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if err := withoutDumps(); err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", err)
		return 1
	}
	c, err := config.Load(file)
	if err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", err)
		return exitConfig
	}
	l, err := server.Listen(c.Socket)
	if err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	access := server.Access{uint32(os.Getuid()): nil}
	for _, u := range c.Users {
		access[u.UID] = u.URIs
	}
	s := &server.Server{Devices: devices(ctx, c, log), Access: access, Log: log}
	log.Info("listening", "socket", c.Socket)
	if err := s.Serve(ctx, l); err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", err)
		return 1
	}
	return 0
}

// checkTime is how long check waits for the devices.
const checkTime = 30 * time.Second

// withoutDumps keeps PINs out of files when a library crashes: the limit is what the kernel asks before it writes one, the attribute what it
// asks before it hands one to a program, or lets other processes of the same user look inside.
func withoutDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("turning off core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("turning off core dumps (PR_SET_DUMPABLE): %w", err)
	}
	return nil
}

func check(file string, stdout, stderr io.Writer) int {
	if err := withoutDumps(); err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", err)
		return 1
	}
	c, err := config.Load(file)
	if err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", err)
		return exitConfig
	}
	if err := asDaemon(c.Socket); err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	s := &server.Server{
		Devices: devices(ctx, c, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))),
		Access:  server.Access{0: nil},
	}
	for _, d := range s.Devices {
		d.Settled(ctx)
	}
	return printStatus(s.Status(0), stdout, stderr)
}

// asDaemon refuses root where the daemon is another user. What root remembers of PINs is root's, so that the daemon could not read it, and would
// send no PIN any more. The socket is the daemon's; where there is none, its folder is.
func asDaemon(socket string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{socket, filepath.Dir(socket)} {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
			return fmt.Errorf("%s belongs to user %d, and the daemon could not read what root remembers of PINs: run gmkeyd check as that user", name, stat.Uid)
		}
		return nil
	}
	return nil
}

func status(socket string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := keyd.ClientFor(socket).Status(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", explain(err))
		return 1
	}
	return printStatus(s, stdout, stderr)
}

func printStatus(s keyd.Status, stdout, stderr io.Writer) int {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // of strings and numbers
	}
	if write(append(text, '\n'), stdout, stderr) != 0 || !s.Healthy {
		return 1
	}
	return 0
}

// write fails on a full disk or a pipe that nobody reads, as a monitor must not take half a text for the whole.
func write(text []byte, stdout, stderr io.Writer) int {
	if _, err := stdout.Write(text); err != nil {
		fmt.Fprintln(stderr, "gmkeyd: writing the output:", err)
		return 1
	}
	return 0
}

func metrics(socket string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	text, err := keyd.ClientFor(socket).Do(ctx, keyd.OpMetrics, "", nil)
	if err != nil {
		fmt.Fprintln(stderr, "gmkeyd:", explain(err))
		return 1
	}
	return write(text, stdout, stderr)
}

// explain leaves out the package name.
func explain(err error) string {
	var e *keyd.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%s: %s", e.Socket, e.Reason)
	}
	return strings.TrimPrefix(err.Error(), "keyd: ")
}
