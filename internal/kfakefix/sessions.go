package kfakefix

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupSession is a group's own session timeout.
const groupSession = "consumer.session.timeout.ms"

// settings sees sessions of groups change.
func (s *sessions) settings(req *kmsg.IncrementalAlterConfigsRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range req.Resources {
		for _, c := range r.Configs {
			if r.ResourceType != kmsg.ConfigResourceTypeGroupConfig || c.Name != groupSession || c.Value == nil {
				continue
			}
			if ms, err := strconv.Atoi(*c.Value); err == nil {
				s.own[r.ResourceName] = time.Duration(ms) * time.Millisecond
			}
		}
	}
}

// heartbeat puts off the end of the member's session. One that leaves for good needs none;
// one that stays away has its session from then on.
func (s *sessions) heartbeat(req *kmsg.ConsumerGroupHeartbeatRequest) {
	const leaves = -1
	key := memberKey{req.Group, req.MemberID}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.timers[key]; t != nil {
		t.Stop()
		delete(s.timers, key)
	}
	if s.over || req.MemberEpoch == leaves {
		return
	}
	session := s.session
	if own, ok := s.own[req.Group]; ok {
		session = own
	}
	instance := req.InstanceID
	s.timers[key] = time.AfterFunc(session, func() { s.end(key, instance) })
}

// end takes a member out as its session's end does. One that is gone, or was replaced,
// answers with an error that says nothing new.
func (s *sessions) end(key memberKey, instance *string) {
	s.mu.Lock()
	if s.over || s.timers[key] == nil {
		s.mu.Unlock()
		return
	}
	delete(s.timers, key)
	s.ending.Add(1)
	s.mu.Unlock()
	defer s.ending.Done()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = key.group, key.member, -1, instance
	_, _ = req.RequestWith(context.Background(), s.cl) // the cluster may be closed
}

func (s *sessions) stop() {
	s.mu.Lock()
	s.over = true
	for _, t := range s.timers {
		t.Stop()
	}
	clear(s.timers)
	s.mu.Unlock()
	s.cl.Close()
	s.ending.Wait()
}
