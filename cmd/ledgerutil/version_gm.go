// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/hyperledger/fabric/common/metadata"

func setVersion() { app.Version(metadata.VersionInfo("ledgerutil")) }
