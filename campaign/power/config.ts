/**
 * The configuration of the device of a scenario.
 * @module
 */
import { parseConfig, type AgentConfig } from '../../src/agent/index.ts';
import { PATHS, slotPath } from './paths.ts';
import type { Scenario } from './scenarios.ts';

const configs = new Map<string, AgentConfig>();

/** The configuration of a scenario's device. */
export function configOf(scenario: Scenario): AgentConfig {
  const known = configs.get(scenario.name);
  if (known !== undefined) return known;
  const command = scenario.rebootCommand === true ? 'reboot_command = ["reboot"]\n' : '';
  const slots =
    scenario.classes.length === 1
      ? `[slots]\nA = "${slotPath('A', 'rootfs')}"\nB = "${slotPath('B', 'rootfs')}"\n`
      : ['A', 'B'].map((slot) => `[slots.${slot}]\n${classLines(slot, scenario)}`).join('');
  const place =
    scenario.boot === 'target'
      ? `[target]\npath = "${PATHS.target}"\n[boot]\n${command}`
      : `${slots}[boot]\nstate_file = "${PATHS.state}"\nchoice_file = "${PATHS.choice}"\n${command}`;
  const text = `[device]
controller_id = "dev-1"
product = "cam"
hardware = "v1"
[server]
url = "http://ota.test"
cancel_poll_seconds = 1
[data]
folder = "${PATHS.data}"
[trust]
root = "${PATHS.root}"
[limits]
spare_bytes = 0
retries_max = 4
[health]
commands = [["check"]]
${place}`;
  const config = parseConfig(text, '/', 'campaign.toml');
  configs.set(scenario.name, config);
  return config;
}

const classLines = (slot: string, { classes }: Scenario): string =>
  classes.map((slotClass) => `${slotClass} = "${slotPath(slot, slotClass)}"\n`).join('');
