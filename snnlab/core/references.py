"""The papers behind the methods, by citation key."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One paper: who, what, where."""

    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""

    @property
    def short(self) -> str:
        """For example ``Bu et al., ICLR 2022``."""
        return f"{self.authors}, {self.venue} {self.year}"


REFERENCES = {
    "Bu2022": Reference(
        "Bu et al.",
        "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural Networks",
        "ICLR",
        2022,
        "2303.04347",
    ),
    "Huang2024": Reference(
        "Huang et al.",
        "Converting High-Performance and Low-Latency SNNs through Explicit Modelling of Residual Error in ANNs",
        "TNNLS",
        2025,
        "2404.17456",
    ),
    "Diehl2015": Reference(
        "Diehl et al.",
        "Fast-classifying, high-accuracy spiking deep networks through weight and threshold balancing",
        "IJCNN",
        2015,
    ),
    "Rueckauer2017": Reference(
        "Rueckauer et al.",
        "Conversion of Continuous-Valued Deep Networks to Efficient Event-Driven Networks for Image Classification",
        "Frontiers in Neuroscience",
        2017,
    ),
    "Han2020": Reference(
        "Han et al.",
        "RMP-SNN: Residual Membrane Potential Neuron for Enabling Deeper High-Accuracy and Low-Latency Spiking Neural "
        "Network",
        "CVPR",
        2020,
        "2003.01811",
    ),
    "Deng2021": Reference(
        "Deng and Gu",
        "Optimal Conversion of Conventional Artificial Neural Networks to Spiking Neural Networks",
        "ICLR",
        2021,
        "2103.00476",
    ),
    "Li2021": Reference(
        "Li et al.",
        "A Free Lunch From ANN: Towards Efficient, Accurate Spiking Neural Networks Calibration",
        "ICML",
        2021,
        "2106.06984",
    ),
    "Bu2022OPI": Reference(
        "Bu et al.",
        "Optimized Potential Initialization for Low-latency Spiking Neural Networks",
        "AAAI",
        2022,
        "2202.01440",
    ),
    "Wang2022": Reference(
        "Wang et al.",
        "Signed Neuron with Memory: Towards Simple, Accurate and High-Efficient ANN-SNN Conversion",
        "IJCAI",
        2022,
    ),
    "Hu2023": Reference(
        "Hu et al.",
        "Fast-SNN: Fast Spiking Neural Network by Converting Quantized ANN",
        "TPAMI",
        2023,
        "2305.19868",
    ),
    "Hao2023SRP": Reference(
        "Hao et al.",
        "Reducing ANN-SNN Conversion Error through Residual Membrane Potential",
        "AAAI",
        2023,
        "2302.02091",
    ),
    "Hao2023COS": Reference(
        "Hao et al.",
        "Bridging the Gap between ANNs and SNNs by Calibrating Offset Spikes",
        "ICLR",
        2023,
        "2302.10685",
    ),
    "Lv2024": Reference("Lv et al.", "Optimal ANN-SNN Conversion with Group Neurons", "ICASSP", 2024, "2402.19061"),
    "Bu2025": Reference(
        "Bu et al.",
        "Inference-Scale Complexity in ANN-SNN Conversion for High-Performance and Low-Power Applications",
        "CVPR",
        2025,
        "2409.03368",
    ),
    "Li2022": Reference(
        "Li et al.", "Quantization Framework for Fast Spiking Neural Networks", "Frontiers in Neuroscience", 2022
    ),
    "Li2023": Reference(
        "Li et al.", "Unleashing the Potential of Spiking Neural Networks with Dynamic Confidence", "ICCV", 2023
    ),
    "Li2023NA": Reference("Li and Rajendran", "Noise Adaptor in Spiking Neural Networks", "arXiv", 2023, "2312.05290"),
    "Li2024NA": Reference(
        "Li and Rajendran",
        "Noise Adaptor: Enhancing Low-Latency Spiking Neural Networks through Noise-Injected Low-Bit ANN Conversion",
        "arXiv",
        2024,
        "2411.17431",
    ),
    "Liu2025": Reference(
        "Liu et al.", "Efficient ANN-SNN Conversion with Error Compensation Learning", "ICML", 2025, "2506.01968"
    ),
    "Datta2022": Reference(
        "Datta and Beerel",
        "Can Deep Neural Networks be Converted to Ultra Low-Latency Spiking Neural Networks?",
        "DATE",
        2022,
        "2112.12133",
    ),
    "Meng2022": Reference(
        "Meng et al.",
        "Training Much Deeper Spiking Neural Networks with a Small Number of Time-Steps",
        "Neural Networks 153",
        2022,
    ),
    "Meng2022DSR": Reference(
        "Meng et al.",
        "Training High-Performance Low-Latency Spiking Neural Networks by Differentiation on Spike Representation",
        "CVPR",
        2022,
        "2205.00459",
    ),
    "He2016b": Reference("He et al.", "Identity Mappings in Deep Residual Networks", "ECCV", 2016, "1603.05027"),
    "Horowitz2014": Reference("Horowitz", "Computing's Energy Problem (and What We Can Do about It)", "ISSCC", 2014),
    "Tang2023": Reference(
        "Tang et al.",
        "SENECA: Building a Fully Digital Neuromorphic Processor, Design Trade-offs and Challenges",
        "Frontiers in Neuroscience",
        2023,
    ),
    "Davies2018": Reference(
        "Davies et al.", "Loihi: A Neuromorphic Manycore Processor with On-Chip Learning", "IEEE Micro", 2018
    ),
    "Akopyan2015": Reference(
        "Akopyan et al.",
        "TrueNorth: Design and Tool Flow of a 65 mW 1 Million Neuron Programmable Neurosynaptic Chip",
        "TCAD",
        2015,
    ),
    "Deng2020": Reference(
        "Deng et al.",
        "Tianjic: A Unified and Scalable Chip Bridging Spike-Based and Continuous Neural Computation",
        "JSSC",
        2020,
    ),
    "Frenkel2019": Reference(
        "Frenkel et al.",
        "A 0.086-mm2 12.7-pJ/SOP 64k-Synapse 256-Neuron Online-Learning Digital Spiking Neuromorphic Processor in "
        "28-nm CMOS",
        "TBioCAS",
        2019,
        "1804.07858",
    ),
    "Hoppner2021": Reference(
        "Höppner et al.",
        "The SpiNNaker 2 Processing Element Architecture for Hybrid Digital Neuromorphic Computing",
        "arXiv",
        2021,
        "2103.08392",
    ),
    "He2015": Reference(
        "He et al.",
        "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification",
        "ICCV",
        2015,
        "1502.01852",
    ),
    "He2016": Reference("He et al.", "Deep Residual Learning for Image Recognition", "CVPR", 2016, "1512.03385"),
    "Simonyan2015": Reference(
        "Simonyan and Zisserman",
        "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        "ICLR",
        2015,
        "1409.1556",
    ),
    "Newcombe1998": Reference(
        "Newcombe",
        "Improved Confidence Intervals for the Difference between Binomial Proportions Based on Paired Data",
        "Statistics in Medicine",
        1998,
    ),
    "Sundararajan2017": Reference(
        "Sundararajan et al.", "Axiomatic Attribution for Deep Networks", "ICML", 2017, "1703.01365"
    ),
    "Simonyan2014": Reference(
        "Simonyan et al.",
        "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
        "ICLR workshop",
        2014,
        "1312.6034",
    ),
    "Shrikumar2017": Reference(
        "Shrikumar et al.",
        "Learning Important Features Through Propagating Activation Differences",
        "ICML",
        2017,
        "1704.02685",
    ),
    "Zeiler2014": Reference(
        "Zeiler and Fergus", "Visualizing and Understanding Convolutional Networks", "ECCV", 2014, "1311.2901"
    ),
    "Selvaraju2017": Reference(
        "Selvaraju et al.",
        "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        "ICCV",
        2017,
        "1610.02391",
    ),
    "Petsiuk2018": Reference(
        "Petsiuk et al.",
        "RISE: Randomized Input Sampling for Explanation of Black-box Models",
        "BMVC",
        2018,
        "1806.07421",
    ),
    "Adebayo2018": Reference("Adebayo et al.", "Sanity Checks for Saliency Maps", "NeurIPS", 2018, "1810.03292"),
    "Wilson1927": Reference(
        "Wilson", "Probable Inference, the Law of Succession, and Statistical Inference", "JASA", 1927
    ),
}


def references() -> dict[str, Reference]:
    """Every cited paper by citation key."""
    return dict(REFERENCES)
