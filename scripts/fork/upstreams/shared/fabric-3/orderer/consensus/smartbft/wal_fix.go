// SPDX-License-Identifier: Apache-2.0

package smartbft

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hyperledger-labs/SmartBFT/pkg/api"
	"github.com/hyperledger-labs/SmartBFT/pkg/wal"
)

// anchorSize is the length of the record with which each file of a log begins. The library syncs it before it writes another one.
const anchorSize = 16

// openWAL opens the log of what this orderer has voted, and returns its records. A full disk or a kill can leave a last file without its first
// record. The library has a repair for that, but reaches it only for damage behind the first record.
func openWAL(logger api.Logger, dir string, options *wal.Options) (*wal.WriteAheadLogFile, [][]byte, error) {
	log, records, err := wal.InitializeAndReadAll(logger, dir, options)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return log, records, err
	}
	if reason := checkUnfinished(dir); reason != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, reason)
	}
	if err := wal.Repair(logger, dir); err != nil {
		return nil, nil, fmt.Errorf("cannot repair the write-ahead log: %w", err)
	}
	return wal.InitializeAndReadAll(logger, dir, options)
}

// checkUnfinished refuses a repair that would remove votes: the library takes a last file away whose first record it cannot read, whatever
// follows.
func checkUnfinished(dir string) error {
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	last := ""
	for _, file := range files {
		var number uint64
		if n, _ := fmt.Sscanf(file.Name(), "%016x.wal", &number); n == 1 && filepath.Ext(file.Name()) == ".wal" {
			last = filepath.Join(dir, file.Name())
		}
	}
	info, err := os.Stat(last)
	if err != nil {
		return err
	}
	if info.Size() > anchorSize {
		return fmt.Errorf("%s is damaged at its beginning, and may have votes of this orderer after it", last)
	}
	return nil
}
