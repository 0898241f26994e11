// Cytoscape, with layouts of its own.
import cytoscape from "cytoscape";

export { cytoscape };
