// SPDX-License-Identifier: Apache-2.0

package device

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// look asks now and then whether the keys that can be used are still there, so that one that has gone is noticed before it is needed.
func (d *Device) look(ctx context.Context) {
	tick := time.NewTicker(d.LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.lookOnce(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// lookOnce asks for each key, in whatever session is free. It gives up the connection if one is not there: the next one shows which are left.
func (d *Device) lookOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.LookEvery)
	defer cancel()
	d.mu.Lock()
	l := d.link
	d.mu.Unlock()
	if l == nil {
		return
	}
	for i := range l.keys {
		k := &l.keys[i]
		if k.Err != nil {
			continue
		}
		in, s, err := d.acquire(ctx, daemon, "look for a key")
		if err != nil {
			return // too busy, or lost: those who use the device notice
		}
		if in == l {
			if err = s.Has(k); err != nil {
				d.lose(l, fmt.Errorf("looking for key %s: %w", k.URI, err))
			}
		}
		in.queue.giveBack(s)
		if in != l || err != nil {
			return
		}
	}
}

// compare notes which keys can be used by a new connection, and lists those of earlier ones that it does not have.
func (d *Device) compare(l *link) {
	listed := map[string]bool{}
	for i := range l.keys {
		k := &l.keys[i]
		name := k.URI.String()
		listed[name] = true
		if _, had := d.had[name]; had {
			k.Spare = false // it was meant to be used
		}
		if k.Err == nil {
			d.had[name] = *k
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.had)) {
		if listed[name] {
			continue
		}
		k := d.had[name]
		k.Err = errors.New("the device had this key and has it no more")
		l.gone = append(l.gone, k)
		d.Log.Error("key has gone", "device", d.Name, "key", name)
	}
}

// lacksKey reports whether the device lacks a key that is configured, or one that could be used before, or whether one was refused by a code
// that may not last.
func (d *Device) lacksKey(l *link) bool {
	for _, k := range l.keys {
		_, had := d.had[k.URI.String()]
		if k.Err != nil && (had || !k.Spare && blames(k.Err)) {
			return true
		}
	}
	return len(l.gone) != 0
}
