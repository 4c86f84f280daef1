// @ts-check
/** The edits of the Explorer, as texts and as Python. */

import { signed } from "./dom.js";
import { EditList } from "./edit_list.js";
import { HOW, isActive, isSteering, ofLayers, PARTS, POSITIONS } from "./edits.js";
import { Pane } from "./pane.js";
import { translate } from "./words.js";

/** @typedef {import("./edits.js").Edit} Edit */

export class StudyEdits extends Pane {
  /** @param {import("./types.js").Context} ctx */
  constructor(ctx) {
    super(ctx);
    const { job } = this.source;
    const ask = job && (() => job("edits_as_python", { sample: this.get("sample"), edits: this.get("edits") ?? [] }));
    this.list = new EditList(ctx, {
      text: (edit) => this.text(edit),
      active: isActive,
      lines: ask ? async () => (await ask().result).text : null,
      names: ["layer", "labels"],
      of: ["sample"],
    });
    this.el = this.list.el;
  }

  /** @param {Edit} edit */
  text(edit) {
    const { t } = this;
    if (ofLayers(edit)) {
      const [how, part] = [HOW[/** @type {"zero"} */ (edit.how)], PARTS[/** @type {"mlp"} */ (edit.part)]];
      const heads = edit.heads ? ` ${edit.heads.join(", ")}` : "";
      return t`${translate(t, how)}, layers ${edit.layers.join(", ")} (${translate(t, part)}${heads})`;
    }
    const name = this.aimName(edit);
    if (!isSteering(edit)) return t`ablate “${name}”, concept ${edit.concept}, layer ${edit.layer}`;
    const where = edit.positions === "all" ? "" : `, ${translate(t, POSITIONS[/** @type {"all"} */ (edit.positions)])}`;
    return t`steer “${name}” ${signed(edit.strength, 2, "+")}, layer ${edit.layer}` + where;
  }

  /** What a concept, word or direction is called. @param {import("./edits.js").Aim} aim */
  aimName({ layer, concept, word, direction }) {
    return concept === undefined ? (word ?? direction) : this.name(concept, layer);
  }
}
