// Any strength in a program that runs ncnn: the weights of two files, blended. C++11, nothing but the standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace dni {

// The weights of alpha * A + (1 - alpha) * B (Wang et al., arXiv 1811.10515), from the bytes of two .bin files of one
// .param file: A is the file of alpha 1, B that of alpha 0, both of float32. The words that say how weights are stored
// are 0 in both, and stay 0: no need to know which they are. Equal weights stay as they are, to the bit.
//
// On failure the result is empty and `error` says why; A and B of no bytes are a failure.
inline std::vector<float> blend(const std::vector<char>& a, const std::vector<char>& b, float alpha, std::string& error)
{
    const std::uint32_t float16 = 0x01306B47, int8 = 0x000D4B38; // ncnn's words for what are no floats to be blended
    std::vector<float> result, of_b;
    if (a.empty() || a.size() != b.size() || a.size() % sizeof(float) != 0)
        error = "the two .bin files are empty or differ in size; expected two of the same network, alpha 1 and alpha 0";
    else if (!(alpha >= 0.f && alpha <= 1.f))
        error = "alpha is no number from 0 to 1";
    else
    {
        result.resize(a.size() / sizeof(float));
        of_b.resize(result.size());
        std::memcpy(result.data(), a.data(), a.size());
        std::memcpy(of_b.data(), b.data(), b.size());
    }
    const float rest = 1.f - alpha;
    for (std::size_t i = 0; i < result.size(); i++)
    {
        std::uint32_t word;
        std::memcpy(&word, &result[i], sizeof(word));
        if (word == float16 || word == int8)
        {
            error = "the weights have 16 or 8 bits; expected files of float32: export them without --dtype float16";
            return std::vector<float>();
        }
        if (result[i] != of_b[i])
            result[i] = result[i] * alpha + of_b[i] * rest;
    }
    return result;
}

} // namespace dni
