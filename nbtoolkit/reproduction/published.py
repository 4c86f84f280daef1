"""Published figures of Parekh et al. 2024: another model, another data set, for reference only.

DePALM on COCO, layer 31 of 32, 20 concepts. Table 1: CLIPScore of the top concept on test images, mean and standard
deviation. Table 2: overlap. Figure 6 was digitised (± 0.003).
"""

TABLE_1 = {
    "dog": {"Rnd-Words": (0.519, 0.05), "Noise-Imgs": (0.425, 0.06), "LargestNorm": (0.546, 0.08), "SemiNMF": (0.610, 0.09), "GT-captions": (0.783, 0.06)},
    "bus": {"Rnd-Words": (0.507, 0.05), "Noise-Imgs": (0.425, 0.08), "LargestNorm": (0.667, 0.06), "SemiNMF": (0.634, 0.08), "GT-captions": (0.736, 0.05)},
    "train": {"Rnd-Words": (0.496, 0.05), "Noise-Imgs": (0.410, 0.07), "LargestNorm": (0.642, 0.06), "SemiNMF": (0.646, 0.07), "GT-captions": (0.727, 0.05)},
    "cat": {"Rnd-Words": (0.539, 0.04), "Noise-Imgs": (0.461, 0.04), "LargestNorm": (0.589, 0.07), "SemiNMF": (0.627, 0.06), "GT-captions": (0.798, 0.05)},
}  # fmt: skip
TABLE_2 = {
    "dog": {"LargestNorm": 0.371, "PCA": 0.004, "KMeans": 0.501, "SemiNMF": 0.086},
    "bus": {"LargestNorm": 0.622, "PCA": 0.002, "KMeans": 0.487, "SemiNMF": 0.177},
    "train": {"LargestNorm": 0.619, "PCA": 0.015, "KMeans": 0.367, "SemiNMF": 0.107},
    "cat": {"LargestNorm": 0.452, "PCA": 0.000, "KMeans": 0.500, "SemiNMF": 0.146},
}
FIGURE_6_RANDOM = 0.480
FIGURE_6 = {
    "cat": (.487, .486, .483, .484, .486, .494, .491, .495, .478, .492, .483, .482, .482, .484, .496, .487, .490, .475, .506, .477, .492, .506, .502, .560,
            .605, .636, .630, .632, .642, .645, .646),
    "dog": (.501, .490, .493, .486, .476, .487, .490, .489, .476, .483, .490, .487, .477, .471, .488, .483, .476, .473, .478, .486, .534, .541, .565, .579,
            .612, .609, .625, .624, .624, .622, .642),
}  # fmt: skip
