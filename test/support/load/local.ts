import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/**
 * Whether an address belongs to this machine: loopback, one of its own addresses, or a network of a container bridge
 * (`docker0`, `br-...`). The load client refuses anything else, so that a slip in a test never loads a stranger.
 */
export function isLocal(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  if (bare === 'localhost') return true;
  const family = isIPv4(bare) ? 'ipv4' : isIPv6(bare) ? 'ipv6' : null;
  if (family === null) return false;
  const own = new BlockList();
  own.addSubnet('127.0.0.0', 8, 'ipv4');
  own.addAddress('::1', 'ipv6');
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { address, cidr, family: of } of addresses ?? []) {
      const kind = of === 'IPv4' ? 'ipv4' : 'ipv6';
      own.addAddress(address, kind);
      if (cidr !== null && /^(docker|br-)/.test(name))
        own.addSubnet(address, Number(cidr.split('/')[1]), kind);
    }
  }
  return own.check(bare, family);
}
