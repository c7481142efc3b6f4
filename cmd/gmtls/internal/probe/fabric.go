// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hyperledger/fabric/cmd/gmtls/internal/cause"
	"github.com/hyperledger/fabric/cmd/gmtls/internal/operations"
	"github.com/hyperledger/fabric/common/crypto/gmtls"
	"github.com/hyperledger/fabric/common/crypto/gmtls/gmcredentials"
	"github.com/hyperledger/fabric/common/loglimit"
)

const transportPlain = "plain"

// maxAnswerFields bounds the header fields of an answer in bytes, unpacked. gRPC's default is 16 MiB.
const maxAnswerFields = 64 << 10

// Fabric says which port of which node an endpoint is.
type Fabric struct {
	Transport string          `json:"transport,omitempty"` // of everyProtocol, or plain
	Role      string          `json:"role"`
	Services  []string        `json:"services,omitempty"` // gRPC services found
	Health    string          `json:"health"`
	Version   string          `json:"version,omitempty"`
	Findings  []cause.Finding `json:"findings,omitempty"`
	Summary   string          `json:"summary"`
}

// services tell the roles of nodes apart, the first match counting.
var services = []struct{ name, role string }{
	{"protos.Endorser", "peer"},
	{"gateway.Gateway", "peer"},
	{"gossip.Gossip", "peer"},
	{"discovery.Discovery", "peer"},
	{"orderer.AtomicBroadcast", "orderer"},
	{"orderer.ClusterNodeService", "orderer (cluster port)"},
	{"orderer.Cluster", "orderer (cluster port)"},
	{"protos.ChaincodeSupport", "peer (chaincode port)"},
	{"protos.Chaincode", "chaincode server"},
}

// fabric asks over the first protocol that works; over none in the plain.
func (p *prober) fabric(ctx context.Context, protocols []*Protocol) *Fabric {
	f := &Fabric{Transport: transportPlain, Role: "unknown", Health: "unknown"}
	plain := len(protocols) == 0
	for _, r := range protocols {
		if r.Main.OK {
			f.Transport, plain = r.Name, false
			break
		}
		plain = plain || len(r.Findings) > 0 && r.Findings[0].Cause == cause.SpeaksPlain
	}
	if f.Transport == transportPlain && !plain {
		f.Transport = ""
		f.Summary = "Fabric: not asked, no handshake succeeded"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	if !p.operations(ctx, f) && f.Transport != transportPlain {
		p.grpc(ctx, f)
	}
	if f.Role == "unknown" && f.Transport == transportPlain {
		f.Transport = ""
	}
	f.Summary = fmt.Sprintf("Fabric: %s, health %s", f.Role, f.Health)
	if f.Version != "" {
		f.Summary += ", version " + f.Version
	}
	return f
}

// operations asks as a monitoring system would, in HTTP/1.1.
func (p *prober) operations(ctx context.Context, f *Fabric) bool {
	s := operations.Over(p.address, p.Timeout, func(ctx context.Context) (net.Conn, error) {
		conn, err := p.dial(ctx)
		if err != nil || f.Transport == transportPlain {
			return conn, err
		}
		return p.secure(ctx, conn, f.Transport, []string{"http/1.1"})
	})
	defer s.Close()
	health, err := s.Health(ctx)
	if err != nil || health.Status == "" {
		return false
	}
	f.Role, f.Health = "operations", health.Status
	if health.Unhealthy != "" {
		f.Findings = append(f.Findings, cause.Find(cause.Unhealthy, "%s", health.Unhealthy))
	}
	if peer, err := http.ParseTime(health.Date); err == nil {
		if skew := time.Until(peer); skew.Abs() > time.Minute {
			f.Findings = append(f.Findings, cause.Warn(cause.ClockSkew, "by its Date header the peer's clock is %v off this one", skew.Round(time.Second)))
		}
	}
	if version, _, err := s.Version(ctx); err == nil {
		f.Version = version
	}
	return true
}

// secure runs the handshake of the protocol on a connection.
func (p *prober) secure(ctx context.Context, conn net.Conn, protocol string, alpn []string) (net.Conn, error) {
	var secured interface {
		net.Conn
		HandshakeContext(context.Context) error
	}
	if protocol == protocolTLS {
		config := p.tlsConfig(variant{})
		config.NextProtos = alpn
		secured = tls.Client(conn, config)
	} else {
		config := p.gmConfig(protocol, variant{})
		config.NextProtos = alpn
		secured = gmtls.Client(conn, config)
	}
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// grpc asks for the health service, and for a method that no service has: the
// answer tells an unknown service from an unknown method, and no node does
// anything upon it.
func (p *prober) grpc(ctx context.Context, f *Fabric) {
	var creds credentials.TransportCredentials
	if f.Transport == protocolTLS {
		creds = credentials.NewTLS(p.tlsConfig(variant{}))
	} else {
		creds = gmcredentials.New(p.gmConfig(f.Transport, variant{}))
	}
	conn, err := grpc.NewClient("passthrough:///"+p.address, grpc.WithTransportCredentials(creds), grpc.WithDisableServiceConfig(),
		grpc.WithMaxHeaderListSize(maxAnswerFields))
	if err != nil {
		f.Findings = append(f.Findings, cause.Warn(cause.Unparsable, "gRPC: %v", err))
		return
	}
	defer conn.Close()
	health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, new(grpc_health_v1.HealthCheckRequest))
	switch {
	case err == nil:
		f.Role, f.Health = "gRPC server", health.GetStatus().String()
		if health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			f.Findings = append(f.Findings, cause.Find(cause.Unhealthy, "gRPC health says %s", health.GetStatus()))
		}
	case status.Code(err) == codes.Unimplemented:
		f.Role, f.Health = "gRPC server", "reachable (no gRPC health service)"
	default:
		f.Findings = append(f.Findings, cause.Warn(cause.Unparsable, "gRPC: %s", loglimit.Printable(status.Convert(err).Message())))
		return
	}
	role := ""
	for _, s := range services {
		err := conn.Invoke(ctx, "/"+s.name+"/GmtlsProbe", new(emptypb.Empty), new(emptypb.Empty))
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		st := status.Convert(err)
		if st.Code() == codes.Unimplemented && strings.Contains(st.Message(), "unknown method") {
			f.Services = append(f.Services, s.name)
			if role == "" {
				role = s.role
			}
		}
	}
	if role != "" {
		f.Role = role
	}
}

func (f *Fabric) write(w io.Writer) {
	fmt.Fprintf(w, "\nFabric\n")
	if len(f.Services) > 0 {
		fmt.Fprintf(w, "  services %s\n", strings.Join(f.Services, ", "))
	}
	for _, finding := range f.Findings {
		fmt.Fprintln(w, finding)
	}
}
