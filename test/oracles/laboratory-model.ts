// A model of the laboratory in which fixtures/vectors was recorded, with IPv4 only or both families: a pod on one node, a
// gateway on another.
const OPTIONS = 'enable-egress-gateway: "true", enable-bpf-masquerade: "true", kube-proxy-replacement: "true", routing-mode: tunnel, tunnel-protocol: vxlan, ipv4-native-routing-cidr: 10.0.0.0/8';
const OPTIONS6 = 'enable-ipv6: "true", ipv6-native-routing-cidr: "fd00:10::/32"';

/** Manifests of the laboratory. An IPv6 egress IP comes from an interface, whose first address it is. */
export function laboratory(ipv6: boolean): string {
  const six = (text: string): string => (ipv6 ? text : "");
  return `apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config, namespace: kube-system}
data: {${OPTIONS}${six(`, ${OPTIONS6}`)}}
---
apiVersion: v1
kind: Node
metadata: {name: src}
spec: {podCIDRs: [10.0.1.0/24${six(', "fd00:10:1::/64"')}]}
status: {addresses: [{address: 192.168.1.11, type: InternalIP}${six(', {address: "fd00:c0a8:1::11", type: InternalIP}')}]}
---
apiVersion: v1
kind: Node
metadata: {name: gw, labels: {gateway: "yes"}}
spec: {podCIDRs: [10.0.3.0/24${six(', "fd00:10:3::/64"')}]}
status: {addresses: [{address: 192.168.1.12, type: InternalIP}${six(', {address: "fd00:c0a8:1::12", type: InternalIP}')}]}
---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: src}
spec:
  devices: [{name: eth0, mac: "02:00:00:00:01:0b", mtu: 1500, addresses: [192.168.1.11/24${six(', "fd00:c0a8:1::11/64"')}]}]
  routes: [{to: 0.0.0.0/0, via: 192.168.1.1, dev: eth0}${six(', {to: "::/0", via: "fd00:c0a8:1::1", dev: eth0}')}]
---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: gw}
spec:
  devices: [{name: eth0, mac: "02:00:00:00:01:0c", mtu: 1500, addresses: [192.168.1.12/24, 192.168.1.50/24, 192.168.1.51/24${six(', "fd00:c0a8:1::50/64", "fd00:c0a8:1::12/64"')}]}]
  routes: [{to: 0.0.0.0/0, via: 192.168.1.1, dev: eth0}${six(', {to: "::/0", via: "fd00:c0a8:1::1", dev: eth0}')}]
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: default, labels: {app: client}}
spec: {nodeName: src}
status: {podIPs: [{ip: 10.0.1.10}${six(', {ip: "fd00:10:1::10"}')}]}
---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: client, namespace: default, uid: 00000000-0000-4000-8000-000000000001}
status:
  id: 1001
  identity: {id: 20001, labels: ["k8s:app=client", "k8s:io.kubernetes.pod.namespace=default"]}
  networking: {addressing: [{ipv4: 10.0.1.10${six(', ipv6: "fd00:10:1::10"')}}], node: 192.168.1.11}
  state: ready
---
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: by-gw}
spec:
  selectors: [{podSelector: {matchLabels: {app: client}}}]
  destinationCIDRs: [203.0.113.0/24]
  egressGateway: {nodeSelector: {matchLabels: {gateway: "yes"}}, egressIP: 192.168.1.50}
${six(`---
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: by-gw6}
spec:
  selectors: [{podSelector: {matchLabels: {app: client}}}]
  destinationCIDRs: ["2001:db8:113::/64"]
  egressGateway: {nodeSelector: {matchLabels: {gateway: "yes"}}, interface: eth0}
`)}`;
}
