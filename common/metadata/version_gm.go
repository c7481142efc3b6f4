// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"fmt"
	"runtime"
)

// VersionInfo returns what a tool prints for --version, in the form of those tools that have a version command upstream.
func VersionInfo(program string) string {
	return fmt.Sprintf("%s:\n Version: %s\n Commit SHA: %s\n Go version: %s\n OS/Arch: %s/%s",
		program, Version, CommitSHA, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
