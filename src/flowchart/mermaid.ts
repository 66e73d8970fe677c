/**
 * The flowcharts as Mermaid text, from the same model as the picture; GitHub and most wikis draw it.
 *
 * Within a stage each effect is one node, however many cells lead to it: Mermaid lays out from the top down, and one
 * node for each cell would make the drawing too wide to read.
 */
import type { Branch, Chart, ChartNode, Stage } from './chart.ts';

/** One flowchart, its lit path (if any) in thick lines. */
export function flowchartMermaid(chart: Chart): string {
  const lines = ['flowchart TD'];
  chart.stages.forEach((stage, i) => {
    const id = `stage_${nodeId(stage.rule)}`;
    lines.push(`  subgraph ${id}["${text(stage.rule)}"]`, ...stageLines(stage), '  end');
    const before = chart.stages[i - 1];
    if (before) lines.push(`  stage_${nodeId(before.rule)} -->|then| ${id}`);
  });
  lines.push(
    '  classDef policy stroke-width:2px,stroke-dasharray:6 3',
    '  classDef go stroke:#0b6b3f,stroke-width:2px',
    '  classDef stop stroke:#a8201a,stroke-width:2px',
    '  classDef lit stroke-width:4px',
  );
  return `${lines.join('\n')}\n`;
}

function stageLines(stage: Stage): string[] {
  const nodes = new Map<string, string>();
  const lit = new Set<string>();
  const edges: string[] = [];
  const idOf = (node: ChartNode): string =>
    node.kind === 'effect' ? `${nodeId(stage.rule)}__${nodeId(node.text)}` : nodeId(node.id);
  const visit = (node: ChartNode): string => {
    const id = idOf(node);
    nodes.set(id, `    ${id}${shape(node)}`);
    if (node.kind === 'effect') return id;
    for (const branch of node.branches) {
      const to = visit(branch.to);
      if (branch.lit) lit.add(id).add(to);
      edges.push(`    ${id} ${branch.lit ? '==>' : '-->'}|"${edgeText(branch, node.kind)}"| ${to}`);
    }
    return id;
  };
  visit(stage.root);
  const litLine = lit.size > 0 ? [`    class ${[...lit].join(',')} lit`] : [];
  return [...nodes.values(), ...edges, ...litLine];
}

/** Questions are diamonds, the policy's questions hexagons, effects stadiums. */
function shape(node: ChartNode): string {
  if (node.kind === 'effect') return `(["${text(node.text)}"]):::${node.tone}`;
  return node.kind === 'policy' ? `{{"policy: ${text(node.text)}"}}:::policy` : `{"${text(node.text)}"}`;
}

function edgeText(branch: Branch, kind: 'question' | 'policy'): string {
  const mark = kind === 'policy' && branch.inForce ? ' (in force)' : branch.isDefault ? ' (default)' : '';
  return text(branch.label + mark) + (branch.value === null ? '' : `<br>${text(branch.value)}`);
}

/** Mermaid's own escapes, so that a text can end neither its quotes nor its line. */
function text(raw: string): string {
  return raw.replace(/[^\p{L}\p{N} .,:;?!()’“”•×+_-]/gu, (char) => `#${char.codePointAt(0)};`);
}

function nodeId(raw: string): string {
  return raw.replace(/\W/g, '_');
}
