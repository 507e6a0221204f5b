package runtime

import (
	"fmt"
	"net/http"
	"time"
)

// Handler serves the probes of Kubernetes: /livez and /readyz answer 200 or 503, with
// one line that names what fails. The bodies name no topic, offset or error.
//
// /livez fails only when a restart would help: the poll loop has not turned within
// Liveness.PollTTL. A broker that is away and an idle topic never fail it. /readyz
// fails until the first assignment is processed, while no broker has answered for
// SessionTimeout, and once a stop has begun.
//
// Serve it on a server with timeouts, on an address that only the kubelet reaches.
func (r *Runtime) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.live(time.Now())) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, r.readiness(time.Now())) })
	return mux
}

// live names what a restart would mend; empty: nothing.
func (r *Runtime) live(now time.Time) string {
	r.mu.Lock()
	running := r.running
	r.mu.Unlock()
	turned := r.client.Turned()
	if !running || turned.IsZero() || r.stopping() {
		return ""
	}
	if age := now.Sub(turned); age > r.cfg.Liveness.PollTTL {
		return fmt.Sprintf("poll: the poll loop has not turned for %v", age.Round(time.Second))
	}
	return ""
}

// readiness names what is missing; empty: nothing.
func (r *Runtime) readiness(now time.Time) string {
	select {
	case <-r.ready:
	default:
		return "assignment: no partition is being processed yet"
	}
	if r.stopping() {
		return "shutdown: the runtime stops"
	}
	if age := now.Sub(r.client.Answered()); age > r.cfg.SessionTimeout {
		return fmt.Sprintf("broker: none has answered for %v", age.Round(time.Second))
	}
	return ""
}

func answer(w http.ResponseWriter, failing string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if failing == "" {
		_, _ = fmt.Fprintln(w, "ok")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = fmt.Fprintln(w, failing)
}
