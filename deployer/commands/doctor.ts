import { runCheck, type Finding } from '../doctor/check.ts';
import { gather } from '../doctor/facts.ts';
import { checksFor } from '../doctor/index.ts';
import {
  findingJson,
  findingLines,
  fixJson,
  fixLine,
  summarise,
  summaryJson,
  summaryLine,
} from '../doctor/report.ts';
import { treat } from '../doctor/treat.ts';
import type { ExitCode } from '../errors.ts';
import type { Globals } from '../run.ts';

/**
 * `deploy doctor`: every check with what it found and what to do. It works on a broken machine too: a check that cannot
 * run says why. With `fix` it does what is safe, and what is not with `--yes`, and checks those again. Exit 1 when a
 * finding is a failure.
 */
export async function doctor(globals: Globals, fix: boolean): Promise<ExitCode> {
  const { print, json } = globals;
  const show = (finding: Finding): void => {
    for (const line of json ? [findingJson(finding)] : findingLines(finding)) print(line);
  };
  const check = async (ids: string[] | null): Promise<Finding[]> => {
    const facts = await gather(globals);
    const findings: Finding[] = [];
    for (const one of checksFor(facts)) {
      if (ids && !ids.includes(one.id)) continue;
      // In turn: the probe of the kernel's timing wants a quiet machine.
      const finding = await runCheck(one, facts); // oxlint-disable-line no-await-in-loop
      show(finding);
      findings.push(finding);
    }
    return findings;
  };

  let findings = await check(null);
  let fixed: string[] = [];
  if (fix) {
    fixed = await treat(findings, globals.yes, (result) => print(json ? fixJson(result) : fixLine(result)));
    const again = fixed.length ? await check(fixed) : [];
    findings = findings.map((old) => again.find((now) => now.id === old.id) ?? old);
  }
  const summary = summarise(findings, fixed.length);
  print(json ? summaryJson(summary) : summaryLine(summary));
  return summary.exit;
}
