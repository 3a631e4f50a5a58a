import { egressPrefix, interfacePrefix } from '../network-names.ts';

/**
 * What packets of instances may do, as one nftables table of an installation:
 *
 *   instance -> this host (input)     replies to what the host opened; name servers; `reach`; else dropped
 *   instance -> elsewhere (forward)   name servers; `reach`; `privateRanges` with open egress; the internet
 *   elsewhere -> instance (forward)   replies to what the instance opened; else dropped: so projects never
 *                                     meet, nor do two instances, whatever their addresses are
 *
 * Bridges are matched by the beginning of their names (network-names.ts), so a network is under the rules
 * from the moment it is made. The table only drops: what it lets through still meets the engine's own rules
 * and the operator's.
 */
export interface GuardRules {
  readonly installation: string;
  /** The range of projects' networks. */
  readonly pool: string;
  /** `address:port`, TCP: what every function may reach, on this host, too. */
  readonly reach: readonly string[];
  /** Addresses of name servers, reached on port 53. */
  readonly dns: readonly string[];
  /** Ranges that projects with open egress may reach. */
  readonly privateRanges: readonly string[];
}

/** Not of the internet (IANA's special-purpose registry), multicast and broadcast. */
export const privateRanges4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** Never opened to anyone: the host itself, its links' own addresses (cloud metadata), groups. */
const neverRanges4 = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'];

export function tableOf(installation: string): string {
  return `gantry_${interfacePrefix(installation)}`;
}

/** A script for `nft -f`: one transaction that puts the table in place of its former self. */
export function rulesOf(rules: GuardRules): string {
  for (const text of [rules.pool, ...rules.privateRanges, ...rules.dns]) mustBe(rangeText, text);
  for (const text of rules.reach) mustBe(endpointText, text);
  const table = tableOf(rules.installation);
  const every = `"${interfacePrefix(rules.installation)}*"`;
  const open = `"${egressPrefix(rules.installation, 'open')}*"`;
  const reach = rules.reach.map((endpoint) => endpoint.replace(':', ' . '));
  return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
${set('reach', 'ipv4_addr . inet_service', reach)}
${set('resolvers', 'ipv4_addr', rules.dns)}
${set('never', 'ipv4_addr', [...neverRanges4, rules.pool], true)}
${set('allowed', 'ipv4_addr', rules.privateRanges, true)}
${set('private', 'ipv4_addr', [...privateRanges4, rules.pool], true)}
  counter to_host { }
  counter to_private { }
  counter to_instance { }
  chain input {
    type filter hook input priority -10; policy accept;
    iifname ${every} jump from_instance_to_host
  }
  chain forward {
    type filter hook forward priority -10; policy accept;
    oifname ${every} jump to_instance
    iifname ${every} jump from_instance
  }
  chain from_instance_to_host {
    meta nfproto != ipv4 counter name to_host drop
    ct state established ct direction reply accept
    ct state related ct direction reply meta l4proto icmp accept
    jump exceptions
    counter name to_host drop
  }
  chain to_instance {
    ct state established ct direction reply return
    ct state related ct direction reply meta l4proto icmp return
    counter name to_instance drop
  }
  chain from_instance {
    meta nfproto != ipv4 counter name to_private drop
    jump exceptions
    ip daddr @never counter name to_private drop
    iifname ${open} ip daddr @allowed accept
    ip daddr @private counter name to_private drop
  }
  chain exceptions {
    meta l4proto tcp ct original ip daddr . ct original proto-dst @reach accept
    meta l4proto { tcp, udp } ct original ip daddr @resolvers ct original proto-dst 53 accept
  }
}
`;
}

function set(name: string, type: string, elements: readonly string[], ranges = false): string {
  const lines = [`    type ${type};`];
  if (ranges) lines.push('    flags interval; auto-merge;');
  if (elements.length > 0) lines.push(`    elements = { ${elements.join(', ')} };`);
  return [`  set ${name} {`, ...lines, '  }'].join('\n');
}

const rangeText = /^\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?$/;
const endpointText = /^\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}$/;

/** Nothing gets into the script that could end a statement. */
function mustBe(pattern: RegExp, text: string): void {
  if (!pattern.test(text)) throw new Error(`${JSON.stringify(text)} cannot be put into a rule.`);
}
