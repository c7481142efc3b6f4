// SPDX-License-Identifier: Apache-2.0

package gateway

// endorsers returns the endorsers to ask for the next layout that can still be met, and nil if there is none. A layout is taken whole or
// not at all: one that lacks endorsers of a group must not use up those of its other groups, which a later layout may need.
//
//fork:replace fix: a layout that is abandoned does not use up endorsers, so that later layouts can still be met
func (p *plan) endorsers() []*endorser {
	p.planLock.Lock()
	defer p.planLock.Unlock()
	for ; p.nextLayout < len(p.layouts); p.nextLayout++ {
		if chosen := p.take(p.layouts[p.nextLayout]); len(chosen) > 0 {
			return chosen
		}
	}
	return nil
}

// take removes the endorsers that a layout needs from the front of their groups. It takes none if a group has too few, or if the layout
// is abandoned (nil).
func (p *plan) take(l *layout) (chosen []*endorser) {
	if l == nil {
		return nil
	}
	for group, quantity := range l.required {
		if quantity > len(p.groupEndorsers[group]) {
			return nil
		}
	}
	for group, quantity := range l.required {
		chosen = append(chosen, p.groupEndorsers[group][:quantity]...)
		p.groupEndorsers[group] = p.groupEndorsers[group][quantity:]
	}
	return chosen
}
