// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// responseOutput keeps the status for executeChecked. What goes to a file is a block, not what something else has answered.
//
//fork:wrap fix: the status decides on the exit code
func responseOutput(showStatus bool, statusCode int, responseBody []byte, outputFile string) (string, error) {
	if statusCode != http.StatusOK || outputFile == "" {
		if err := checkAnswer(statusCode, responseBody); err != nil {
			return "", err
		}
		return upstreamResponseOutput(showStatus, statusCode, responseBody, outputFile)
	}
	lastStatus = statusCode
	block := &cb.Block{}
	if err := proto.Unmarshal(responseBody, block); err != nil || block.Header == nil || block.Data == nil {
		return "", fmt.Errorf("the answer is not a block, so %s is not written: %.200q", outputFile, responseBody)
	}
	return upstreamResponseOutput(showStatus, statusCode, responseBody, outputFile)
}
