// SPDX-License-Identifier: Apache-2.0

package util

import "time"

// Subscribe returns a subscription to a topic that ends when ttl has passed. Finding the set of the topic and joining it are one
// step: otherwise the set's last other subscription could end in between and take the set away, and the end of this
// subscription would find none (upstream's issue 5119).
//
//fork:replace fix: a peer does not end when subscriptions to a topic begin and end at the same time
func (ps *PubSub) Subscribe(topic string, ttl time.Duration) Subscription {
	sub := &subscription{top: topic, ttl: ttl, c: make(chan interface{}, subscriptionBuffSize)}
	ps.Lock()
	defer ps.Unlock()
	all := ps.subscriptions[topic]
	if all == nil {
		all = NewSet()
		ps.subscriptions[topic] = all
	}
	all.Add(sub)
	time.AfterFunc(ttl, func() { ps.unSubscribe(sub) })
	return sub
}
