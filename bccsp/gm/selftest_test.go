// SPDX-License-Identifier: Apache-2.0

package gm

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSelfTestPasses(t *testing.T) {
	require.NoError(t, SelfTest())
	require.NoError(t, SelfTest())
}

// TestFailureAtStartIsTold: before the caller, and once.
func TestFailureAtStartIsTold(t *testing.T) {
	defer func(before func(error)) { OnFailure = before }(OnFailure)
	var told []error
	OnFailure = func(err error) { told = append(told, err) }
	require.NoError(t, powerOn(&standardAnswers))
	require.Empty(t, told)
	wrong := standardAnswers
	wrong.sm3Abc = wrong.sm3Abcd
	err := powerOn(&wrong)
	require.ErrorContains(t, err, "self-test of SM3 hash")
	require.Equal(t, []error{err}, told)
}

// Every known answer must matter: with any of them changed, the self-test fails and says which algorithm.
func TestSelfTestNoticesEveryWrongAnswer(t *testing.T) {
	fields := reflect.TypeOf(knownAnswers{})
	for i := 0; i < fields.NumField(); i++ {
		name := fields.Field(i).Name
		t.Run(name, func(t *testing.T) {
			want := standardAnswers
			field := reflect.NewAt(fields.Field(i).Type, reflect.ValueOf(&want).Elem().Field(i).Addr().UnsafePointer()).Elem()
			answer := []byte(field.String())
			last := len(answer) - 1
			answer[last] ^= 1 // another hexadecimal digit
			field.SetString(string(answer))
			algorithm := map[string]string{"sm2": "SM2", "sm3": "SM3", "sm4": "SM4"}[name[:3]]
			require.ErrorContains(t, runSelfTest(&want), "self-test of "+algorithm)
		})
	}
}
