// SPDX-License-Identifier: Apache-2.0

package main

// responseOutput keeps the status for executeChecked.
//
//fork:wrap fix: the status decides on the exit code
func responseOutput(showStatus bool, statusCode int, responseBody []byte) (string, error) {
	if err := checkAnswer(statusCode, responseBody); err != nil {
		return "", err
	}
	return upstreamResponseOutput(showStatus, statusCode, responseBody)
}
