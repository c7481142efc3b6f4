// SPDX-License-Identifier: Apache-2.0

package lib

import (
	"strings"
	"sync"
)

// guesses are the identities whose passwords are being looked at, each with those who wait.
var guesses = struct {
	mu sync.Mutex
	of map[string]*guess
}{of: make(map[string]*guess)}

type guess struct {
	mu    sync.Mutex
	users int
}

// BasicAuthentication authenticates by a password. Upstream reads how many wrong ones there were, compares, and then counts.
//
//fork:wrap fix: of wrong passwords that were sent at once each was compared, however many the limit allows, as none of them was counted yet
func (ctx *serverRequestContextImpl) BasicAuthentication() (string, error) {
	name, _, ok := ctx.req.BasicAuth()
	if !ok {
		return ctx.upstreamBasicAuthentication()
	}
	ca, err := ctx.GetCA()
	if err != nil {
		return "", err
	}
	if ca.Config.Cfg.Identities.PasswordAttempts > 0 {
		name = strings.ToLower(strings.TrimRight(name, " ")) // which MySQL does not tell apart
		defer oneAtATime(ca.Config.CA.Name + "\x00" + name)()
	}
	return ctx.upstreamBasicAuthentication()
}

// oneAtATime waits until nobody else has the name, and returns what gives it back.
func oneAtATime(name string) (done func()) {
	guesses.mu.Lock()
	g := guesses.of[name]
	if g == nil {
		g = &guess{}
		guesses.of[name] = g
	}
	g.users++
	guesses.mu.Unlock()
	g.mu.Lock()
	return func() {
		g.mu.Unlock()
		guesses.mu.Lock()
		defer guesses.mu.Unlock()
		if g.users--; g.users == 0 {
			delete(guesses.of, name)
		}
	}
}
